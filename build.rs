//! What is compiled in from folders is compiled in anew when a file is added there, too.

fn main() {
    for folder in ["migrations", "streams"] {
        println!("cargo:rerun-if-changed={folder}");
    }
}
