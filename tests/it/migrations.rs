//! Migrations: up, down and up again; what SQL and Rust compute alike.

use milepost::derived_id::derived_id;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sqlx::Connection as _;
use uuid::Uuid;

use crate::support::World;

/// Everything that migrations may make, in words. Partitions of months are made by the function, later.
const SCHEMA: &str = "
    select 'column' as kind, table_name || '.' || column_name as name,
        concat_ws(' ', data_type, character_maximum_length, numeric_precision, numeric_scale, is_nullable,
            column_default, generation_expression) as what
    from information_schema.columns where table_schema = 'public'
    union all select 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
    from pg_constraint where connamespace = 'public'::regnamespace
    union all select 'index', indexname, indexdef from pg_indexes where schemaname = 'public'
    union all select 'view', viewname, definition from pg_views where schemaname = 'public'
    union all select 'function', proname, pg_get_functiondef(oid) from pg_proc where pronamespace = 'public'::regnamespace
    union all select 'relation', relname, concat_ws(' ', relkind, relispartition, obj_description(oid, 'pg_class'))
    from pg_class where relnamespace = 'public'::regnamespace
    union all select 'comment', attrelid::regclass || '.' || attname, col_description(attrelid, attnum)
    from pg_attribute join pg_class on pg_class.oid = attrelid
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v') and attnum > 0 and not attisdropped
    union all select 'trigger', tgrelid::regclass || '.' || tgname, pg_get_triggerdef(oid) from pg_trigger
    where not tgisinternal";

async fn schema(world: &World) -> Vec<String> {
    let rows = world.rows(&format!("select kind, name, what from ({SCHEMA}) as everything order by 1, 2, 3")).await;
    let ours = |row: &String| !row.contains("_sqlx_migrations");
    rows.iter().map(ToString::to_string).filter(ours).collect()
}

fn statuses(world: &World) -> Vec<(String, String)> {
    let line = |line: &str| {
        let (state, step) = line.split_once(' ').expect("a state and a step");
        (state.to_owned(), step.trim().to_owned())
    };
    world.succeed(&["migrate", "--status"]).lines().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_the_way_down_and_up_again_gives_the_same_schema() {
    let world = World::without_stream().await;
    let before = schema(&world).await;
    assert!(before.len() > 300, "{} objects", before.len());
    let steps = statuses(&world);
    assert!(steps.iter().all(|(state, _)| state == "applied"), "{steps:?}");

    let down = world.succeed(&["migrate", "--down", &steps.len().to_string()]);
    assert_eq!(down.lines().count(), steps.len());
    assert_eq!(schema(&world).await, Vec::<String>::new(), "nothing is left");
    assert!(statuses(&world).iter().all(|(state, _)| state == "missing"));

    world.succeed(&["migrate"]);
    let after = schema(&world).await;
    let lost: Vec<_> = before.iter().filter(|row| !after.contains(row)).collect();
    let new: Vec<_> = after.iter().filter(|row| !before.contains(row)).collect();
    assert!(lost.is_empty() && new.is_empty(), "lost: {lost:#?}\nnew: {new:#?}");
    assert!(world.succeed(&["migrate"]).contains("nothing to do"));
    assert_eq!(statuses(&world), steps);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_can_be_undone_and_done_again_with_the_schema_of_before() {
    let world = World::without_stream().await;
    let whole = schema(&world).await;
    let steps = statuses(&world);
    for undone in 1..=steps.len() {
        let down = world.succeed(&["migrate", "--down", "1"]);
        let (_, step) = &steps[steps.len() - undone];
        assert!(down.contains(step), "{down} undoes {step}");
        let missing = statuses(&world).iter().filter(|(state, _)| state == "missing").count();
        assert_eq!(missing, undone);
        if undone % 4 == 0 {
            world.succeed(&["migrate"]);
            assert_eq!(schema(&world).await, whole, "up again from before {step}");
            world.succeed(&["migrate", "--down", &undone.to_string()]);
        }
    }
}

#[test]
fn each_migration_has_a_way_back() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres");
    let name =
        |file: std::io::Result<std::fs::DirEntry>| file.expect("a file").file_name().into_string().expect("text");
    let names: Vec<String> = std::fs::read_dir(folder).expect("the folder").map(name).collect();
    let (down, up): (Vec<&String>, Vec<&String>) = names.iter().partition(|name| name.ends_with(".down.sql"));
    assert!(!up.is_empty());
    for name in &up {
        let back = name.replace(".sql", ".down.sql");
        assert!(down.contains(&&back), "{back} is missing");
        let text = std::fs::read_to_string(format!("{folder}/{back}")).expect("a file");
        let code: Vec<&str> = text.lines().filter(|line| !line.starts_with("--")).collect();
        let code = code.join("\n").to_lowercase();
        assert!(!code.contains("cascade") && !code.contains("if exists"), "{back} must stop at the unexpected");
    }
    assert_eq!(up.len(), down.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_keys_to_people_follow_them_and_each_foreign_key_has_an_index() {
    let world = World::without_stream().await;
    let keys = "from pg_constraint as key where contype = 'f' and connamespace = 'public'::regnamespace";
    let stay = format!("select conname {keys} and confrelid = 'users'::regclass and confupdtype <> 'c'");
    assert_eq!(world.rows(&stay).await, Vec::<serde_json::Value>::new(), "on update cascade");
    let slow = format!(
        "select conname {keys} and not exists (
             select from pg_index where indrelid = key.conrelid and indkey[0] = key.conkey[1])"
    );
    assert_eq!(world.rows(&slow).await, Vec::<serde_json::Value>::new(), "an index that begins with it");
    assert!(world.number(&format!("select count(*) {keys}")).await > 20);
}

/// They do what whoever calls them has no right to do.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_may_call_functions_with_the_owners_rights_but_those_who_are_granted_it() {
    let world = World::without_stream().await;
    let ours = "from pg_proc where prosecdef and pronamespace = 'public'::regnamespace";
    assert!(world.number(&format!("select count(*) {ours}")).await >= 4);
    let open = format!("select proname {ours} and has_function_privilege('public', oid, 'execute')");
    assert_eq!(world.rows(&open).await, Vec::<serde_json::Value>::new());
}

/// Before 0058, people of no company were in one.
#[tokio::test(flavor = "multi_thread")]
async fn people_of_no_company_are_in_none_after_an_upgrade() {
    let world = World::without_stream().await;
    let steps = statuses(&world);
    let since = steps.iter().filter(|(_, step)| number(step) >= 58).count();
    world.succeed(&["migrate", "--down", &since.to_string()]);
    let [nobody, known, person] = [0, 1, 2].map(Uuid::from_u128);
    for sql in [
        format!("insert into users (id, email) values ('{person}', 'ada@example.org')"),
        format!("insert into companies (id) values ('{nobody}'), ('{known}')"),
        format!(
            "insert into company_users (company_id, user_id, joined_at)
             select company, '{person}', now() from unnest(array['{nobody}', '{known}']::uuid[]) as company"
        ),
    ] {
        world.execute(&sql).await;
    }
    world.succeed(&["migrate"]);
    let left = world.rows("select company_id from company_users").await;
    assert_eq!(left, [serde_json::json!({ "company_id": known })]);
    assert_eq!(world.number("select count(*) from companies").await, 1);
}

/// Of a step such as `postgres 0058 merge people`.
fn number(step: &str) -> u32 {
    step.split_whitespace().find_map(|word| word.parse().ok()).expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn derived_ids_are_the_same_in_sql_and_in_rust() {
    let world = World::without_stream().await;
    let mut connection = world.postgres().await;
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    let any = proptest::collection::vec(proptest::char::any(), 0..60);
    for _ in 0..500 {
        let name: String = any.new_tree(&mut runner).expect("a name").current().into_iter().collect();
        let name = name.replace('\0', ""); // Postgres has no text with NUL
        let in_sql: Uuid =
            sqlx::query_scalar("select derived_id($1)").bind(&name).fetch_one(&mut connection).await.expect("an id");
        assert_eq!(in_sql, derived_id(&name), "{name:?}");
    }
    connection.close().await.expect("closed");
}
