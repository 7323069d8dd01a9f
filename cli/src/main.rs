//! The `dragoman` command.
fn main() {}
