//! Replies as real servers 3.1 and 2.3 gave them.

use reqwest::header::{HeaderMap, HeaderValue};

use super::*;

fn reply(status: u16, body: &str) -> Reply {
    Reply {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: body.as_bytes().to_vec(),
    }
}

fn with_md5(body: &str, md5: &'static str) -> Reply {
    let mut reply = reply(200, body);
    reply
        .headers
        .insert("Content-MD5", HeaderValue::from_static(md5));
    reply
}

const V1: &str = "a191475ae2bf7db9c7e320f7da455bbb";
const CLIENT: &str = r#"{"code":0,"message":"success","data":{"resultCode":200,"errorCode":0,"message":null,"requestId":null,"content":"{\"v\":1}","encryptedDataKey":"","contentType":"json","md5":"a191475ae2bf7db9c7e320f7da455bbb","lastModified":1795355862216,"tag":null,"beta":false,"success":true}}"#;

#[test]
fn a_document_is_read_in_both_versions() {
    let content = |version, reply| content(version, reply).unwrap().unwrap();
    assert_eq!(content(Version::V3, reply(200, CLIENT)), r#"{"v":1}"#);
    assert_eq!(
        content(Version::V2, with_md5(r#"{"v":1}"#, V1)),
        r#"{"v":1}"#
    );
    let latest = r#"{"id":"1","dataId":"weir.index","group":"WEIR","content":"{\"v\":1}","md5":"a191475ae2bf7db9c7e320f7da455bbb","tenant":"it","type":"json","desc":null}"#;
    let found = document(Version::V2, &reply(200, latest)).unwrap().unwrap();
    assert_eq!(found.md5, V1);
    let latest = format!(r#"{{"code":0,"message":"success","data":{latest}}}"#);
    let found = document(Version::V3, &reply(200, &latest))
        .unwrap()
        .unwrap();
    assert_eq!(found.content, r#"{"v":1}"#);
}

#[test]
fn a_missing_document_is_nothing_whatever_the_status() {
    let missing = r#"{"code":20004,"message":"resource not found","data":null}"#;
    assert_eq!(content(Version::V3, reply(200, missing)), Ok(None));
    let missing = r#"{"code":20004,"message":"resource not found","data":"Config not exist, please publish Config first."}"#;
    assert_eq!(document(Version::V3, &reply(404, missing)), Ok(None));
    assert_eq!(
        content(Version::V2, reply(404, "config data not exist\n")),
        Ok(None)
    );
    assert_eq!(document(Version::V2, &reply(200, "")), Ok(None));
}

#[test]
fn a_path_that_is_not_there_is_not_a_missing_document() {
    let page = r#"{"timestamp":"2026-11-22T14:00:24.341+00:00","status":404,"error":"Not Found","path":"/nacos/v1/cs/configs"}"#;
    for version in [Version::V2, Version::V3] {
        let kind = content(version, reply(404, page)).unwrap_err();
        assert!(matches!(kind, Kind::Failed { status: 404, .. }), "{kind:?}");
    }
    assert!(is_other_version(&reply(404, page)));
    assert!(is_other_version(&reply(410, page)));
    assert!(!is_other_version(&reply(404, "config data not exist\n")));
    assert!(!is_other_version(&reply(404, r#"{"code":20004}"#)));
}

#[test]
fn a_lost_compare_and_swap_is_a_conflict_in_all_its_shapes() {
    let told = r#"{"code":20005,"message":"resource conflict","data":"Cas publish fail, server md5 may have changed."}"#;
    let sentence = "caused: Cas publish fail, server md5 may have changed.;";
    assert_eq!(done(Version::V3, &reply(500, told)), Err(Kind::Conflict));
    assert_eq!(done(Version::V2, &reply(500, told)), Err(Kind::Conflict));
    assert_eq!(
        done(Version::V2, &reply(500, sentence)),
        Err(Kind::Conflict)
    );
    assert_eq!(done(Version::V2, &reply(200, "false")), Err(Kind::Conflict));
    assert_eq!(done(Version::V2, &reply(200, "true")), Ok(()));
    let done_3 = r#"{"code":0,"message":"success","data":true}"#;
    assert_eq!(done(Version::V3, &reply(200, done_3)), Ok(()));
}

#[test]
fn contents_that_cannot_be_are_refused() {
    let blank = CLIENT.replace(r#""{\"v\":1}""#, r#"" \n""#);
    assert_eq!(content(Version::V3, reply(200, &blank)), Err(Kind::Blank));
    let none = CLIENT.replace(r#""{\"v\":1}""#, "null");
    assert_eq!(content(Version::V3, reply(200, &none)), Err(Kind::Blank));
    let other = CLIENT.replace(r#"\"v\":1"#, r#"\"v\":7"#);
    assert_eq!(content(Version::V3, reply(200, &other)), Err(Kind::Corrupt));
    assert_eq!(
        content(Version::V2, with_md5(r#"{"v":7}"#, V1)),
        Err(Kind::Corrupt)
    );
    let large = CLIENT.replace(r#"\"v\":1"#, &"x".repeat(2 * 1024 * 1024));
    assert_eq!(
        content(Version::V3, reply(200, &large)),
        Err(Kind::TooLarge(LARGEST))
    );
}

#[test]
fn a_server_that_fails_is_quoted_in_one_short_line() {
    let kind = content(Version::V3, reply(500, "<html>\n  oops </html>")).unwrap_err();
    assert_eq!(
        kind.to_string(),
        "answered with status 500 (<html> oops </html>)"
    );
    let long = "é".repeat(5000);
    assert!(refused(&reply(502, &long)).to_string().len() < 300);
    let gone =
        r#"{"code":10000,"message":"parameter missing","data":"Required parameter 'content'"}"#;
    let kind = done(Version::V3, &reply(400, gone)).unwrap_err();
    assert!(
        kind.to_string().contains("parameter missing: Required"),
        "{kind}"
    );
    let kind = content(Version::V3, reply(200, "<html>not Nacos</html>")).unwrap_err();
    assert!(matches!(kind, Kind::Unintelligible(_)), "{kind:?}");
    let kind = content(Version::V2, reply(200, "<html>not Nacos</html>")).unwrap_err();
    assert!(matches!(kind, Kind::Unintelligible(_)), "{kind:?}");
}

#[test]
fn rows_of_the_history_are_read_in_both_versions() {
    let of_3 = r#"{"code":0,"message":"success","data":{"totalCount":2,"pageNumber":1,"pagesAvailable":1,"pageItems":[{"id":"2","namespaceId":"it","groupName":"WEIR","dataId":"weir.index","md5":null,"type":null,"appName":"","createTime":1273017600000,"modifyTime":1795356024759,"srcIp":"127.0.0.1","srcUser":"anna","opType":"U         ","publishType":"formal"},{"id":"1","modifyTime":1795355862084,"srcIp":"127.0.0.1","srcUser":null,"opType":"I         "}]}}"#;
    let of_2 = r#"{"totalCount":2,"pageNumber":1,"pagesAvailable":1,"pageItems":[{"id":"2","lastId":-1,"dataId":"weir.index","group":"WEIR","tenant":"it","srcIp":"127.0.0.1","srcUser":"anna","opType":"U         ","createdTime":"2010-05-05T00:00:00.000+00:00","lastModifiedTime":"2026-11-22T14:00:24.759+00:00"},{"id":"1","srcIp":"127.0.0.1","srcUser":null,"opType":"I         ","lastModifiedTime":"2026-11-22T14:00:24.674+00:00"}]}"#;
    for (version, body) in [(Version::V3, of_3), (Version::V2, of_2)] {
        let (rows, pages) = rows(version, &reply(200, body)).unwrap();
        assert_eq!(pages, 1);
        assert_eq!(rows[0].at.to_string(), "2026-11-22T14:00:24.759Z");
        assert_eq!(rows[0].operation, Operation::Update);
        assert_eq!(rows[0].user.as_deref(), Some("anna"));
        assert_eq!(rows[0].address.as_deref(), Some("127.0.0.1"));
        assert_eq!(
            (rows[1].id.as_str(), rows[1].operation),
            ("1", Operation::Insert)
        );
        assert_eq!(rows[1].user, None);
    }
}

#[test]
fn a_row_that_is_gone_is_nothing() {
    let gone =
        r#"{"code":20002,"message":"parameter validate error","data":"Source must not be null"}"#;
    assert_eq!(row_content(Version::V3, &reply(400, gone)), Ok(None));
    assert_eq!(row_content(Version::V2, &reply(200, "")), Ok(None));
    let row = r#"{"id":"2","md5":"a191475ae2bf7db9c7e320f7da455bbb","content":"{\"v\":1}","opType":"U         "}"#;
    assert_eq!(
        row_content(Version::V2, &reply(200, row)),
        Ok(Some(r#"{"v":1}"#.to_owned()))
    );
}

#[test]
fn a_namespace_is_counted_or_confirmed() {
    let count = |count| format!(r#"{{"code":0,"message":"success","data":{count}}}"#);
    assert_eq!(is_there(Version::V3, &reply(200, &count(1))), Ok(true));
    assert_eq!(is_there(Version::V3, &reply(200, &count(0))), Ok(false));
    assert_eq!(is_there(Version::V2, &reply(200, "true")), Ok(true));
    assert_eq!(is_there(Version::V2, &reply(200, "false")), Ok(false));
}
