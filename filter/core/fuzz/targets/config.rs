//! A configuration is read, or its problems are named; what is read makes a gateway.
#![no_main]

use dragoman_core::{config, gateway::Gateway};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match config::parse(text) {
        Ok(config) => drop(Gateway::new(&config, |name| Some(name.to_owned()))),
        Err(problems) => assert!(!problems.is_empty()),
    }
});
