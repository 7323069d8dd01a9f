//! What reaches the client's stream before its request is whole, and no provider can have said.

use std::rc::Rc;

use dragoman_core::{
    change::Latest,
    exchange::{Arrival, Exchange, Head},
    host::Surroundings,
    live::Observer,
    step::Step,
    store::Memory,
};

use super::CHAT;
use crate::stage::{NewYear, carried, open, post};

/// An answer on a client's stream that no provider gave.
struct Local(u16, &'static str);

impl Head for Local {
    fn status(&mut self) -> u16 {
        self.0
    }

    fn details(&mut self) -> String {
        self.1.into()
    }

    fn header(&mut self, _: &str) -> Option<String> {
        None
    }
}

#[test]
fn what_ends_a_request_in_the_middle_is_said_in_the_callers_shape_where_envoy_did_it_and_passes_where_a_filter_did() {
    let gateway = open();
    let observer = Observer::new(Rc::new(Memory::default()));
    let latest = Latest::new(Rc::new(Memory::default()));
    let around =
        Surroundings { clock: &NewYear, entropy: &NewYear, observer: &observer, latest: &latest, metadata: &() };
    for (mut head, told) in [
        (Local(413, "request_payload_too_large"), Some(413)),
        (Local(408, "request_overall_timeout"), Some(408)),
        (Local(408, "stream_idle_timeout"), Some(408)),
        (Local(403, "ext_proc_immediate_response"), None),
        (Local(413, "ext_authz_denied"), None),
        (Local(200, ""), None),
        (Local(500, "ext_proc_error_gRPC_error_14"), None),
    ] {
        let mut exchange = Exchange::new(Rc::clone(&gateway));
        let request = carried(&post(CHAT, &[]));
        assert!(matches!(exchange.request_head(request.headers(), false, &around), Step::Wait));
        let told_now = match exchange.response_head(&mut head, &NewYear) {
            Arrival::Instead(reply) => Some(reply.status),
            Arrival::Judged => None,
            other @ (Arrival::Provider | Arrival::Again | Arrival::Abandoned(_)) => panic!("{}: {other:?}", head.1),
        };
        assert_eq!(told_now, told, "{}", head.1);
    }
}
