//! What is wrong before anything is parsed: encodings, sizes, depths, keys, and what is no JSON.

use super::case::{Corpus, Fate, replace};

const AT: Option<&str> = Some("/data/questionResponses/x");

const fn not_json(field: Option<&'static str>) -> Fate {
    Fate::Dead("not_json", field)
}

const fn bad_character(field: Option<&'static str>) -> Fate {
    Fate::Dead("bad_character", field)
}

pub(super) fn plant(corpus: &mut Corpus) {
    no_json(corpus);
    encodings(corpus);
    sizes_and_depths(corpus);
    keys(corpus);
}

fn no_json(corpus: &mut Corpus) {
    corpus.raw("nothing", "", not_json(None));
    corpus.raw("only blanks", " \r\n\t ", not_json(None));
    corpus.raw("gzip", b"\x1f\x8b\x08\0\0\0\0\0", Fate::Dead("not_utf8", None));
    corpus.raw("msgpack", b"\x81\xa2id\xa1x", Fate::Dead("not_utf8", None));
    corpus.raw("protobuf", b"\x0a\x04type\x12\x02id", not_json(None));
    corpus.raw("a text", "\"SECRET\"", Fate::Dead("envelope", None));
    corpus.raw("a number", "42", Fate::Dead("envelope", None));
    corpus.raw("null", "null", Fate::Dead("envelope", None));
    corpus.raw("an array", "[{}]", Fate::Dead("envelope", None));
    corpus.retyped("cut off", |text| text.as_bytes()[..text.len() - 1].to_vec(), not_json(None));
    corpus.retyped("two documents", |text| format!("{text}{text}").into_bytes(), not_json(None));
    corpus.retyped("something behind it", |text| format!("{text} x").into_bytes(), not_json(None));
    corpus.retyped("blanks around it", |text| format!(" \n{text}\r\n\t").into_bytes(), Fate::Applied);
    for literal in ["NaN", "Infinity", "-Infinity", "01", "+1", "1.", ".5", "'x'", "tru", "undefined", "\"\n\""] {
        corpus.literal(literal, not_json(AT));
    }
    for literal in ["0x10", "1_000", "1 2"] {
        corpus.literal(literal, not_json(Some("/data/questionResponses")));
    }
}

fn encodings(corpus: &mut Corpus) {
    corpus.retyped("a byte order mark", |text| format!("\u{feff}{text}").into_bytes(), bad_character(None));
    corpus.retyped("a stray byte", |text| replace(&text, "SECRET", b"\xff"), Fate::Dead("not_utf8", None));
    corpus.retyped("overlong", |text| replace(&text, "SECRET", b"\xc0\xaf"), Fate::Dead("not_utf8", None));
    corpus.retyped(
        "CESU-8",
        |text| replace(&text, "SECRET", b"\xed\xa0\xbd\xed\xb8\x80"),
        Fate::Dead("not_utf8", None),
    );
    let utf16 = |text: String| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    corpus.retyped("UTF-16", utf16, bad_character(Some("/0")));
    corpus.retyped("UTF-16 with mark", |text| utf16(format!("\u{feff}{text}")), Fate::Dead("not_utf8", None));
    corpus.retyped("a NUL", |text| replace(&text, "SECRET", b"a\0b"), bad_character(Some("/data/notes")));
    corpus.retyped("a NUL between", |text| replace(&text, "\"@\"", b"\0"), bad_character(AT));
    for literal in [r#""\u0000""#, r#""a\u0000""#, r#""\ud800""#, r#""\ud800\u0041""#, r#""\udc00""#, r#""\uDBFFx""#] {
        corpus.literal(literal, bad_character(AT));
    }
    corpus.literal(r#"{"a\u0000":1}"#, bad_character(Some("/data/questionResponses/x/0")));
    corpus.literal(r#"[1,["\u0000"]]"#, bad_character(Some("/data/questionResponses/x/1/0")));
    for literal in [r#""\ud83d\ude00""#, r#""\\u0000""#, "\"\u{1F600}\"", "\"\u{10FFFF}\u{FFFF}\"", r#""\u2028\/\b""#] {
        corpus.literal(literal, Fate::Applied);
    }
    corpus.retyped(
        "a NUL in the id",
        |text| replace(&text, "{\"id\":\"", br#"{"id":"\u0000"#),
        bad_character(Some("/metadata/id")),
    );
}

/// 256 KiB and 64 levels are taken, a byte or a level more is not.
fn sizes_and_depths(corpus: &mut Corpus) {
    let sized = |bytes: usize| {
        move |text: String| {
            let padding = "x".repeat(bytes - text.len() + "SECRET".len());
            text.replace("SECRET", &padding).into_bytes()
        }
    };
    corpus.retyped("256 KiB", sized(256 << 10), Fate::Applied);
    corpus.retyped("256 KiB and one", sized((256 << 10) + 1), Fate::Dead("too_large", None));
    corpus.raw("as much as the broker takes", vec![b' '; 1 << 20], Fate::Dead("too_large", None));
    corpus.literal(format!("{{\"{}\":1}}", "k".repeat(200_000)), Fate::Applied);
    let many: Vec<String> = (0..20_000).map(|number| format!("\"{number}\":0")).collect();
    corpus.literal(format!("{{{}}}", many.join(",")), Fate::Applied);
    corpus.literal(format!("[{}0]", "0,".repeat(100_000)), Fate::Applied);
    // Three levels are around it: the document, its data, the answers.
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    corpus.literal(nested(61), Fate::Applied);
    let deep: &'static str = format!("/data/questionResponses/x{}", "/0".repeat(61)).leak();
    for depth in [62, 124, 125, 126, 100_000] {
        corpus.literal(nested(depth), Fate::Dead("too_deep", Some(deep)));
    }
    let opened = "[".repeat(200_000);
    corpus.raw("only opened", opened, Fate::Dead("too_deep", Some("/0".repeat(64).leak())));
}

fn keys(corpus: &mut Corpus) {
    let twice = |field| Fate::Dead("duplicate_key", Some(field));
    corpus.retyped("two ids", |text| replace(&text, "{\"id\"", br#"{"id":"x","id""#), twice("/metadata/id"));
    corpus.retyped("two types", |text| replace(&text, "{\"data\"", br#"{"type":"x","data""#), twice("/type"));
    corpus.retyped("two data", |text| replace(&text, "{\"data\"", br#"{"data":{},"data""#), twice("/data"));
    corpus.retyped("a key escaped", |text| replace(&text, "{\"data\"", br#"{"\u0074ype":"x","data""#), twice("/type"));
    corpus.literal(r#"{"a":1,"a":1}"#, twice("/data/questionResponses/x/a"));
    corpus.literal(r#"{"a/b":[{"~":1,"~":2}]}"#, twice("/data/questionResponses/x/a~1b/0/~0"));
    corpus.literal(r#"{"":1,"":1}"#, twice("/data/questionResponses/x/"));
    for literal in [
        r#"{"$serde_json::private::RawValue":"{\"x\":1}"}"#,
        r#"{"$serde_json::private::Number":"12"}"#,
        r#"{"__proto__":{"a":1},"constructor":2}"#,
        r#"{"":0}"#,
        r#"{"key":1,"KEY":2}"#,
        "{\"\u{e9}\":1,\"e\u{301}\":2}",
        r#"{"';drop table users;--":"${jndi:ldap://x}"}"#,
    ] {
        corpus.literal(literal, Fate::Applied);
    }
}
