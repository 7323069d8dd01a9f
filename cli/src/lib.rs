//! The native tool as a library: what `dragoman` does, and what the tests share with it.
