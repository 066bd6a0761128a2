//! Swap and rollback under load, with readers that never see half, and nothing lost that hung on the tables.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};

use super::LOG;
use super::catalog::assert_same_catalog;
use crate::support::{HANDLED, World, assert_same};

/// What hangs on tables besides what migrations make.
const HANGERS: &str = "
    create view people_with_matches as
        select users.id, count(*) as matches from users join buddy_matches on users.id in (participant_id, buddy_id) group by 1;
    create view those as select * from people_with_matches;
    create table audited (table_name text, at timestamptz default now());
    create function audit() returns trigger language plpgsql as $$ begin
        insert into audited (table_name) values (tg_table_name); return null; end $$;
    create trigger audit after update on buddy_matches for each statement execute function audit();
    alter table buddy_matches enable always trigger audit;
    comment on trigger audit on buddy_matches is 'theirs';
    create publication matches for table buddy_matches, users (id, role) where (id is not null);
    alter table buddy_feedback alter column rating set statistics 500;
    alter table buddy_checkins replica identity full;
    comment on index buddy_matches_pkey is 'the key';
    grant select (id) on users to public;
    create table notes (user_id uuid references users (id) on update cascade, note text);
    insert into notes select id, 'hello' from users order by id limit 5;
    create schema reports;
    create view reports.people as select id from users;
    create table reports.notes (user_id uuid constraint to_people references users (id))";

/// Reads all the time; each answer must be whole.
struct Reader {
    is_over: Arc<AtomicBool>,
    reads: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Reader {
    fn start(world: &World) -> Self {
        let (is_over, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (url, over, count) = (world.database_url.clone(), Arc::clone(&is_over), Arc::clone(&reads));
        let runtime = tokio::runtime::Handle::current();
        let thread = std::thread::spawn(move || {
            runtime.block_on(async move {
                let options: PgConnectOptions = url.parse().expect("a URL");
                let mut reader = PgConnection::connect_with(&options).await.expect("Postgres answers");
                let mut least = (0, 0, 0);
                while !over.load(Ordering::SeqCst) {
                    let sql = "select (select count(*) from users), (select count(*) from those),
                         (select count(*) from journey_flags),
                         (select count(*) from buddy_matches left join users on users.id = participant_id where users.id is null)";
                    let (people, matched, flags, stray): (i64, i64, i64, i64) =
                        sqlx::query_as(sql).fetch_one(&mut reader).await.expect("a reader never fails");
                    assert!(people >= least.0 && matched >= least.1 && stray == 0, "{people}, {matched}, {stray}: {least:?}");
                    assert!(flags * 2 > least.2, "{flags} of {} flags", least.2);
                    least = (people, matched, flags);
                    count.fetch_add(1, Ordering::SeqCst);
                }
            });
        });
        Self { is_over, reads, thread }
    }

    /// Ends it; gives how often it read.
    fn end(self) -> u64 {
        self.is_over.store(true, Ordering::SeqCst);
        self.thread.join().expect("the reader saw nothing wrong");
        self.reads.load(Ordering::SeqCst)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_change_places_under_load_and_back() {
    let world = World::new().await;
    world.grant_roles().await;
    let log = world.generate(&["--events", "2500", "--seed", "8", "--shuffle", "0.2", "--duplicates", "0.1"]);
    let parts: Vec<_> = log.chunks(log.len() / 5 + 1).collect();
    world.publish(parts[0]).await;
    world.drain(&[]);
    world.execute(HANGERS).await;
    let catalog = world.catalog().await;
    let service = world.start(&["--workers", "2", "--batch", "100", "--only", "project,timers"]);
    let readers = [Reader::start(&world), Reader::start(&world)];
    let mut sent = i64::try_from(parts[0].len()).expect("a number");
    for (part, arguments) in
        parts[1..].iter().zip([&["--all"][..], &["--rollback"], &["--all", "--swap"], &["--rollback"]])
    {
        world.publish(part).await;
        world.reaches(HANDLED, |handled| handled > sent);
        sent += i64::try_from(part.len()).expect("a number");
        let built = tokio::task::block_in_place(|| world.is_swapped_by(arguments));
        assert_eq!(built["unvalidated"], serde_json::json!([]), "{built:#}");
        assert_same_catalog(&catalog, &world.catalog().await);
    }
    world.reaches(HANDLED, |handled| handled == sent);
    let reads = readers.map(Reader::end);
    assert!(reads.iter().all(|reads| *reads > 20), "{reads:?}");
    service.signal("TERM");
    assert_eq!(service.wait().0, Some(0));
    world.drain(&[]);
    world.prove();
    world.is_as_rebuilt();
    let before = world.dump().await;
    world.succeed(&["rebuild", "--all"]);
    assert_same(&before, &world.dump().await);
    // The trigger is one of the table that is there now.
    world.execute("delete from audited").await;
    world.execute("update buddy_matches set created_event = created_event where id is null").await;
    assert_eq!(world.number("select count(*) from audited where table_name = 'buddy_matches'").await, 1);
    assert!(world.succeed(&["rebuild", "--drop-previous"]).contains("dropped"));
    assert_same_catalog(&catalog, &world.catalog().await);
    // Those of another schema, too, are of the tables that are read now.
    assert_eq!(world.number("select (select count(*) from reports.people) - (select count(*) from users)").await, 0);
    world.execute("insert into reports.notes select id from users order by id desc limit 1").await;
    world.execute("drop publication matches").await;
}

/// As one leaves them who is killed just after a swap.
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_were_not_validated_are_validated_by_the_next() {
    let world = World::with_log(&LOG).await;
    world
        .execute("alter table buddy_feedback add constraint again foreign key (match_id) references buddy_matches (id) not valid")
        .await;
    let not_valid = "select count(*) from pg_constraint where contype = 'f' and not convalidated and connamespace = 'public'::regnamespace";
    assert_eq!(world.number(not_valid).await, 1);
    world.succeed(&["rebuild", "buddy_checkins"]);
    assert_eq!(world.number(not_valid).await, 0);
}

/// What the outside knows is not told again; what a rebuild has corrected is told once.
#[tokio::test(flavor = "multi_thread")]
async fn the_outside_is_told_what_was_wrong_and_nothing_else() {
    let world = World::with_log(&LOG).await;
    let told = "select count(*) from outbox";
    let before = world.number(told).await;
    for arguments in [["--all"], ["--rollback"]] {
        world.is_swapped_by(&arguments);
        assert_eq!(world.number(told).await, before);
    }
    // Somebody's flags are as if what happened had not: the verdict too, or the next event would put them right.
    let person = "(select user_id from journey_flags order by user_id limit 1)";
    world
        .execute(&format!(
            "update journey_facts set verdict = (select verdict from journey_facts order by length(verdict) limit 1)
                 where user_id = {person};
             delete from journey_flags where user_id = {person}"
        ))
        .await;
    let (code, built) = world.rebuild(&["--all", "--diff", "--swap"]);
    assert_eq!((code, &built["is_swapped"]), (Some(1), &true.into()), "there was a difference: {built:#}");
    let now = world.number(told).await;
    assert!(now > before, "{now} and not {before}");
    for arguments in [["--all"], ["--rollback"]] {
        world.is_swapped_by(&arguments);
        assert_eq!(world.number(told).await, now);
    }
    world.is_as_rebuilt();
}

#[tokio::test(flavor = "multi_thread")]
async fn some_tables_alone_change_places_and_back() {
    let world = World::with_log(&LOG).await;
    let catalog = world.catalog().await;
    world
        .execute("update buddy_checkins set mood = 'okay' where mood = 'good'; update companies set name = name || '!'")
        .await;
    let damaged = world.dump().await;
    let (code, built) = world.rebuild(&["companies"]);
    assert_eq!(code, Some(0), "{built:#}");
    assert_same_catalog(&catalog, &world.catalog().await);
    let (code, built) = world.rebuild(&["--all", "--diff"]);
    assert_eq!(
        (code, super::tables(&built)[0].0.as_str(), super::tables(&built).len()),
        (Some(1), "buddy_checkins", 1),
        "{built:#}"
    );
    world.succeed(&["rebuild", "--rollback"]);
    assert_same_catalog(&catalog, &world.catalog().await);
    assert_same(&damaged, &world.dump().await);
    world.succeed(&["rebuild", "--rollback"]);
    world.succeed(&["rebuild", "buddy_checkins"]);
    assert_same_catalog(&catalog, &world.catalog().await);
    world.is_as_rebuilt();
    world.publish(&world.generate(&["--events", "300", "--seed", "77"])).await;
    world.drain(&[]);
    world.is_as_rebuilt();
}

/// The role of the service may not: whoever owns the tables rebuilds them.
#[tokio::test(flavor = "multi_thread")]
async fn it_takes_the_owner_of_the_tables() {
    let world = World::with_log(&LOG).await;
    let restricted = world.as_service().await;
    let output = world.milepost(&["rebuild", "--all"]).env("DATABASE_URL", restricted).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("as the owner of the tables"), "{said}");
}
