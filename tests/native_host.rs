//! The real filter in the fake host: that the two fit together at all.

use dragoman_tests::abi::Vm;

#[test]
fn a_configuration_that_is_no_json_is_refused() {
    let vm = Vm::new();
    assert!(vm.try_root("{").is_none());
}
