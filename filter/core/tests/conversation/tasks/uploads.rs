//! Forms: on their way before they have come, and bounded all the same.

use super::*;

#[test]
fn a_form_is_on_its_way_before_it_has_come() {
    let form: &[(&str, &[u8])] = &[("content-type", b"multipart/form-data; boundary=x")];
    for path in [
        "/v1/audio/transcriptions",
        "/v1/files",
        "/v1/images/edits",
        "/second/v1/audio/translations",
        "/v1/uploads/u/parts",
    ] {
        let sent = ask(&gateway(ALL), post(path, form), &[b"--x\r\n", b"model\r\n"]).sent();
        assert_eq!(sent.body, b"--x\r\nmodel\r\n");
        assert!(header(&sent, ":path").ends_with(path.strip_prefix("/second").unwrap_or(path)), "{path}");
        let answer = sent.answered(200, &[JSON], &[br#"{"text":"hi"}"#]);
        assert_eq!((answer.status, answer.text()), (200, r#"{"text":"hi"}"#));
    }
    let small = gateway(&ALL.replacen('{', r#"{"max_upload": 10,"#, 1));
    assert_eq!(ask(&small, post("/v1/files", form), &[b"1234567890"]).sent().body.len(), 10);
    assert_eq!(ask(&small, post("/v1/files", form), &[b"1234567890", b"1"]).refused().status, 413);
    let announced: &[(&str, &[u8])] = &[form[0], ("content-length", b"11")];
    assert_eq!(ask(&small, post("/v1/files", announced), &[b"1"]).refused().status, 413);
    assert_eq!(ask(&small, post("/v1/embeddings", form), &[b"1"]).refused().status, 415);
}

#[test]
fn an_upload_is_bounded_after_its_answer_has_begun_too() {
    let form: &[(&str, &[u8])] = &[("content-type", b"multipart/form-data; boundary=x")];
    let small = gateway(&ALL.replacen('{', r#"{"max_upload": 10,"#, 1));
    let mut sent = ask(&small, post("/v1/files", form), &[b"1234567890"]).sent();
    sent.plan.settle(200, std::time::Duration::ZERO);
    assert_eq!(sent.goes_on(0), None);
    assert_eq!(sent.goes_on(1).map(|reply| reply.status), Some(413));
    assert_eq!(sent.goes_on(1), None);
}
