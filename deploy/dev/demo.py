"""The demo: the main job on real servers, told as it happens. Called by `make demo` with the binary's path."""

from __future__ import annotations

import collections
import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

EVENTS = 20_000
WIDTH = 100


def main() -> int:
    milepost = str(Path(sys.argv[1]).resolve())
    os.environ.update(MILEPOST_HTTP_ADDR="127.0.0.1:0", MILEPOST_LOG="error")
    with tempfile.TemporaryDirectory() as folder:
        prepare(milepost)
        log = generate(milepost, Path(folder) / "log.ndjson")
        say("Publish it to JetStream, each event on the subject that equals its type")
        run(milepost, "publish", str(log))
        process(milepost)
        person = show_person()
        show_journey(milepost, person)
        show_dead_letters(milepost)
        show_service(milepost)
        show_analytics()
        say("Prove that it adds up across all three: every message of the stream is accounted for, every stored event is in "
            "ClickHouse once, every sum is that of its events", "milepost prove")
        run(milepost, "prove")
    print(f"\n{'─' * WIDTH}\nThat was Milepost. Read README.md next; `make up` keeps servers running to play with.\n")
    return 0


def prepare(milepost: str) -> None:
    say("Create the tables", "milepost migrate")
    lines = output(milepost, "migrate").splitlines()
    print(f"  {sum(line.startswith('applied') for line in lines)} migrations applied, in Postgres and in ClickHouse")
    say("Create the JetStream stream and its durable consumer, as streams/csr/stream.toml says", "milepost streams apply")
    run(milepost, "streams", "apply")
    say("Check contracts, SQL and stream against the servers", "milepost streams check")
    run(milepost, "streams", "check")


def generate(milepost: str, log: Path) -> Path:
    arguments = ["--events", str(EVENTS), "--duplicates", "0.05", "--shuffle", "0.02", "--poison", "0.005", "--seed", "7"]
    say("Make up a year of a volunteering platform: 5 % repeated, 2 % out of order, 0.5 % broken",
        "milepost generate " + " ".join(arguments))
    with log.open("wb") as file:
        subprocess.run([milepost, "generate", *arguments], stdout=file, check=True)
    with log.open("rb") as file:
        lines = sum(1 for _ in file)
    print(f"  {lines:,} lines, {log.stat().st_size / 1e6:.0f} MB; the first one:")
    with log.open() as file:
        print(f"  {file.readline()[:WIDTH - 5]}…")
    return log


def process(milepost: str) -> None:
    say("Give each event its effect on Postgres, with two workers, until nothing is left to do",
        "milepost run --workers 2 --until-idle")
    summary = json.loads(output(milepost, "run", "--workers", "2", "--until-idle"))
    meaning = {
        "received": "messages came in",
        "applied": "had their effect, each exactly once, in one transaction with everything it changed",
        "duplicates": "were recognised as repeated, also when spelled differently",
        "dead_letters": "were broken: set aside with their bytes, the reason and the field",
        "waiting": "still wait for something that they refer to",
        "released": "came before what they refer to, waited, and were applied once it was there",
        "fed": "stored events were carried into ClickHouse",
        "own": "are ours: flags and milestones that changed are published, and come back as messages",
    }
    for field, text in meaning.items():
        print(f"  {summary[field]:>8,}  {text}")
    rate = summary["received"] / summary["seconds"]
    print(f"  in {summary['seconds']:.1f} s, {rate:,.0f} messages a second on this machine")


def show_person() -> str:
    say("What the tables say of one person")
    person = sql("select id from users where role = 'participant' order by (select count(*) from buddy_events "
                 "where user_id = users.id) desc, id limit 1").strip()
    queries = {
        "users": "select id, email, role, first_name, last_name from users where id = '{0}'",
        "user_external_ids": "select provider, external_id, active, snapshot_at::date as latest_snapshot "
                             "from user_external_ids where profile_id = '{0}' order by 1, 2",
        "program_enrollments": "select program_type, status, enrolled_at::date, completed_at::date "
                               "from program_enrollments where user_id = '{0}'",
        "buddy_matches": "select matched_at::date, status, ended_at::date, ended_reason from buddy_matches "
                         "where participant_id = '{0}' order by 1",
        "buddy_events": "select event_date::date, event_type, left(description, 40) as description, "
                        "metadata ->> 'duration_minutes' as minutes from buddy_events where user_id = '{0}' "
                        "order by event_date limit 5",
        "journey_milestones": "select reached_at::date, milestone, metadata ->> 'title' as title from journey_milestones "
                              "where user_id = '{0}' order by 1 limit 5",
    }
    for table, query in queries.items():
        print(f"\n  {table}")
        print(indent(sql(query.format(person), pretty=True)))
    return person


def show_journey(milepost: str, person: str) -> None:
    say("What the rules of streams/csr/journey.toml say of everybody, as of now")
    print(indent(sql("select flag, count(*) as people, min(set_at)::timestamptz(0) as earliest_since "
                     "from journey_flags group by 1 order by 1", pretty=True)))
    flag = sql(f"select flag from journey_flags where user_id = '{person}' order by set_at limit 1").strip()
    if flag:
        say("Why that person has a flag, since when, and what would change it", f"milepost rules explain {person} {flag}")
        print(indent(output(milepost, "rules", "explain", person, flag)))


def show_analytics() -> None:
    queries = {
        "How much happened in the last weeks, and how many people took part?":
            "select toStartOfWeek(toDate(hour), 1) as week, sum(events) as events, uniqMerge(people) as people, "
            "round(sum(minutes) / 60) as hours from events_aggregated where event_type not like 'orchestration.%' "
            "group by week order by week desc limit 6",
        "Which companies gave most hours?":
            "select company_id, round(sum(minutes) / 60, 1) as hours, uniqMerge(people) as people from events_aggregated "
            "where company_id is not null group by company_id order by hours desc limit 5",
        "At which hour of the day does most happen?":
            "select toHour(hour) as hour_of_day, sum(events) as events from events_aggregated "
            "where event_type not like 'orchestration.%' group by hour_of_day order by events desc limit 3",
    }
    for question, query in queries.items():
        say(f"ClickHouse: {question}", query)
        print(indent(clickhouse(query + " format PrettyCompactMonoBlock")))


def clickhouse(query: str) -> str:
    url = f"{os.environ['CLICKHOUSE_URL']}/?database=milepost&output_format_pretty_color=0"
    with urllib.request.urlopen(urllib.request.Request(url, data=query.encode())) as answer:
        return answer.read().decode().rstrip()


def show_dead_letters(milepost: str) -> None:
    say("Why messages are dead letters", "milepost dead-letters list --json")
    letters = json.loads(output(milepost, "dead-letters", "list", "--json"))
    counts = collections.Counter(letter["reason"] for letter in letters)
    for reason, count in counts.most_common():
        example = next(letter for letter in letters if letter["reason"] == reason)
        field = example["field"] or ""
        field = field if len(field) <= 30 else field[:29] + "…"
        print(f"  {count:>4}  {reason:<14} e.g. {field + ' ' if field else ''}{example['message'][:60]}")


def show_service(milepost: str) -> None:
    say("As a service it would go on, with health and Prometheus metrics", "milepost run")
    service = subprocess.Popen([milepost, "run"], stderr=subprocess.PIPE, text=True,
                               env={**os.environ, "MILEPOST_LOG": "info"})
    try:
        address = ""
        ready = False
        for line in service.stderr:
            if "address=" in line:
                address = line.split("address=")[1].strip()
            if "running" in line:
                ready = True
                break
        if not ready:
            raise SystemExit("the service did not start")
        health = urllib.request.urlopen(f"http://{address}/readyz", timeout=10).read().decode().strip()
        metrics = urllib.request.urlopen(f"http://{address}/metrics", timeout=10).read().decode()
        print(f"  http://{address}/readyz says {health!r}; http://{address}/metrics (9464 by default) says")
        wanted = ("milepost_lag_messages ", "milepost_lag_seconds", "milepost_waiting_events ", "milepost_dead_letters ")
        print("\n".join(f"    {line}" for line in metrics.splitlines() if line.startswith(wanted)))
    finally:
        service.send_signal(signal.SIGTERM)
        service.communicate(timeout=30)


def say(what: str, command: str = "") -> None:
    print(f"\n{'─' * WIDTH}\n{what}")
    if command:
        print(f"  $ {command}")
    sys.stdout.flush()


def run(*command: str) -> None:
    print(indent(output(*command).rstrip()))


def output(*command: str) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}")
    return done.stdout


def sql(query: str, pretty: bool = False) -> str:
    psql = Path(os.environ["MILEPOST_DEV_PG_BIN"]) / "psql"
    style = ["--pset=footer=off"] if pretty else ["--tuples-only", "--no-align"]
    return output(str(psql), "--no-psqlrc", *style, os.environ["DATABASE_URL"], "-c", query)


def indent(text: str) -> str:
    return "\n".join(f"  {line.rstrip()}" for line in text.rstrip().splitlines())


if __name__ == "__main__":
    sys.exit(main())
