//! A site file is taken whole or not at all, and every complaint says where.

use std::{fs, path::Path, time::Duration};
use vending_station::{
    site::{self, Complaint},
    store::{Store, site as stored},
};

const GOOD: &str = r#"
site.name = "Two shops"
site.currency = "CNY"
site.utc_offset_min = 480
building = [{ code = "A", name = "House A" }]
gateway = [{ code = "G1", building = "A", address = "127.0.0.1:15021" }]
bus = [{ code = "A1", gateway = "G1", baud = 9600 }]
tenant = [
    { code = "A-101", name = "Noodles", trade = "restaurant", building = "A", floor = "1F", tariff = "flat", purse = "meter", alarm_1 = "50.00", alarm_2 = "10" },
    { code = "A-102", name = "Shoes", trade = "clothes", building = "A", floor = "1F", tariff = "flat", purse = "station", alarm_1 = "50", alarm_2 = "10", opening_credit = "12.34" },
]
meter = [
    { number = "202611000001", bus = "A1", unit = 1, model = "DTSY1352-NK", tenant = "A-101" },
    { number = "202611000002", bus = "A1", unit = 2, model = "DDSY1352-NK", tenant = "A-102" },
    { number = "202611000003", bus = "A1", unit = 3, model = "DTSY1352-NK", purpose = "lift" },
]
[[tariff]]
code = "flat"
[tariff.document]
schema = 1
name = "Flat"
zone = "+08:00"
[[tariff.document.versions]]
from = "2026-01-01"
energy.rates = [{ name = "flat", price = "0.8821" }]
"#;

fn complaints(text: &str) -> Vec<String> {
    site::from_toml("s.toml", text).expect_err("it is wrong").iter().map(Complaint::to_string).collect()
}

#[test]
fn a_good_file_is_read_whole() {
    let site = site::from_toml("s.toml", GOOD).expect("good").site;
    assert_eq!((site.tenants.len(), site.meters.len(), site.tariffs.len()), (2, 3, 1));
    assert_eq!((site.tenants[0].alarm_1_minor, site.tenants[0].alarm_2_minor), (5000, 1000));
    assert_eq!(site.tenants[1].opening_minor, 1234);
}

#[test]
fn the_mall_of_the_demonstration_is_such_a_file() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/mall.toml");
    let checked = site::load(&path).unwrap_or_else(|complaints| panic!("{complaints:#?}"));
    assert_eq!((checked.site.buildings.len(), checked.site.tenants.len(), checked.site.meters.len()), (3, 210, 240));
    assert_eq!(checked.site.buses.len(), 8);
    assert!(checked.warnings.is_empty(), "{:?}", checked.warnings);
}

#[test]
fn each_complaint_names_line_column_and_reason() {
    // What stands in the file, what it is changed to, where in the changed file the complaint points, and what it says.
    let cases = [
        ("unit = 2,", "unit = 248,", "248,", "`unit` is 248; expected 1 to 247"),
        ("unit = 2,", "unit = 300,", "300,", "`unit` is `300`; expected 1 to 247"),
        ("unit = 2,", "unit = 1 ,", "1 ,", "unit 1 on bus `A1` is taken by the meter at s.toml:13:51"),
        (
            "202611000002",
            "202611000001",
            "\"202611000001\", bus = \"A1\", unit = 2",
            "`number` `202611000001` stands already at s.toml:13:16",
        ),
        ("202611000002", "20261100002", "\"20261100002\"", "`number` is `20261100002`; expected 12 digits"),
        (
            "baud = 9600",
            "baud = 9601",
            "9601",
            "`baud` is `9601`; expected one of 1200, 2400, 4800, 9600, 19200, 38400",
        ),
        ("gateway = \"G1\", b", "gateway = \"G2\", b", "\"G2\"", "`gateway` names `G2`, which does not exist"),
        (
            "127.0.0.1:15021",
            "127.0.0.1",
            "\"127.0.0.1\"",
            "`address` is `127.0.0.1`; expected host:port with a port from 1 to 65535",
        ),
        ("alarm_2 = \"10\", o", "alarm_2 = \"60\", o", "\"60\"", "`alarm_2` must be below `alarm_1`"),
        (
            "\"12.34\"",
            "\"12.345\"",
            "\"12.345\"",
            "`opening_credit` is `12.345`; expected an amount with at most 2 places",
        ),
        (
            "\"12.34\"",
            "12.34",
            "12.34",
            "`opening_credit` is the bare number 12.34; write decimals in quotes, so that no digit is lost",
        ),
        (
            "floor = \"1F\", tariff = \"flat\", purse = \"station\"",
            "flor = \"2F\", tariff = \"flat\", purse = \"station\"",
            "\"2F\"",
            "`flor` is not known here; known are code, name, trade, building, floor, tariff, purse, alarm_1, alarm_2, opening_credit",
        ),
        (
            "tenant = \"A-102\" },",
            "tenant = \"A-101\" },",
            "\"A-101\", name",
            "tenant `A-101` has 2 meters; expected one",
        ),
        (
            "site.currency = \"CNY\"",
            "site.currency = \"cny\"",
            "\"cny\"",
            "`currency` is `cny`; expected three capital letters",
        ),
        ("purpose = \"lift\"", "purpose = \"\"", "\"\"", "a meter without `tenant` needs a `purpose`"),
        ("building = [{", "building = [{{", "{{", ""),
    ];
    for (from, to, place, reason) in cases {
        assert!(GOOD.contains(from), "{from}");
        let text = GOOD.replacen(from, to, 1);
        let before = &text[..text.find(place).expect(place)];
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        let expected = format!("s.toml:{line}:{column}: {reason}");
        let told = complaints(&text);
        let found =
            |complaint: &String| complaint == &expected || (reason.is_empty() && complaint.starts_with("s.toml:5:1"));
        assert!(told.iter().any(found), "{to}\nwanted {expected}\ngot {told:#?}");
    }
}

#[test]
fn all_complaints_are_told_at_once() {
    let text = GOOD
        .replace("unit = 2,", "unit = 0,")
        .replace("model = \"DTSY1352-NK\", tenant", "model = \"DTSD1352\", tenant");
    assert_eq!(complaints(&text).len(), 2);
}

#[test]
fn a_bad_tariff_is_told_by_its_path() {
    let told = complaints(&GOOD.replace("price = \"0.8821\"", "price = \"0.88x\""));
    assert!(told.iter().any(|complaint| complaint.contains("tariff `flat`")), "{told:#?}");
    let told = complaints(&GOOD.replace("price = \"0.8821\"", "price = 0.8821"));
    assert!(told.iter().any(|complaint| complaint.contains("tariff `flat`")), "{told:#?}");
}

#[test]
fn a_tariff_file_is_read_up_to_a_limit() {
    let folder = tempfile::tempdir().expect("a folder");
    let tariff = folder.path().join("endless.toml");
    let file = fs::File::create(&tariff).expect("created");
    file.set_len(site::raw::FILE_BYTES_MAX + 1).expect("a hole");
    let start = GOOD.find("[[tariff]]").expect("it has one");
    let site = format!("{}[[tariff]]\ncode = \"flat\"\nfile = \"endless.toml\"\n", &GOOD[..start]);
    let path = folder.path().join("site.toml");
    fs::write(&path, site).expect("written");
    let told = site::load(&path).expect_err("it is too long");
    assert!(told.iter().any(|complaint| complaint.reason.contains("bytes that are read")), "{told:#?}");
}

fn csv_folder(folder: &Path, meter_csv: &str) {
    let files = [
        ("site.csv", "name,currency,utc_offset_min\nTwo shops,CNY,480\n"),
        ("building.csv", "code,name\nA,\"House, A\"\n"),
        ("gateway.csv", "code,building,address\nG1,A,127.0.0.1:15021\n"),
        ("bus.csv", "code,gateway,baud\nA1,G1,9600\n"),
        ("tariff.csv", "code,file\nflat,flat.toml\n"),
        (
            "tenant.csv",
            "\u{feff}code,name,trade,building,floor,tariff,purse,alarm_1,alarm_2\r\nA-101,\"面馆, first\",restaurant,A,1F,flat,meter,50,10\r\n",
        ),
        ("meter.csv", meter_csv),
        (
            "flat.toml",
            "schema = 1\nname = \"Flat\"\nzone = \"+08:00\"\n[[versions]]\nfrom = \"2026-01-01\"\nenergy.rates = [{ name = \"flat\", price = \"0.8821\" }]\n",
        ),
    ];
    for (name, text) in files {
        fs::write(folder.join(name), text).expect("written");
    }
}

#[test]
fn a_folder_of_csv_files_is_read_like_one_file() {
    let folder = tempfile::tempdir().expect("a folder");
    csv_folder(
        folder.path(),
        "number,bus,unit,model,tenant,purpose\n202611000001,A1,1,DTSY1352-NK,A-101,\n202611000003,A1,3,DTSY1352-NK,,lift\n",
    );
    let site = site::load(folder.path()).unwrap_or_else(|complaints| panic!("{complaints:#?}")).site;
    assert_eq!(site.tenants[0].name, "面馆, first");
    assert_eq!(site.buildings[0].name, "House, A");
    assert_eq!(site.meters[1].purpose, "lift");
}

#[test]
fn a_bad_csv_line_is_told_by_file_line_and_column() {
    let folder = tempfile::tempdir().expect("a folder");
    csv_folder(
        folder.path(),
        "number,bus,unit,model,tenant,purpose\r\n202611000001,A1,1,DTSY1352-NK,A-101,\r\n202611000003,A1,999,DTSY1352-NK,,lift\r\n1,2\r\n",
    );
    let told: Vec<String> =
        site::load(folder.path()).expect_err("it is wrong").iter().map(Complaint::to_string).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].ends_with("meter.csv:4:1: 2 fields, the heading names 6"), "{told:?}");
    csv_folder(
        folder.path(),
        "number,bus,unit,model,tenant,purpose\r\n202611000001,A1,1,DTSY1352-NK,A-101,\r\n202611000003,A1,999,DTSY1352-NK,,lift\r\n",
    );
    let told: Vec<String> =
        site::load(folder.path()).expect_err("it is wrong").iter().map(Complaint::to_string).collect();
    assert!(told[0].ends_with("meter.csv:3:17: `unit` is `999`; expected 1 to 247"), "{told:?}");
}

#[tokio::test]
async fn nothing_is_half_imported_and_a_second_process_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("station.sqlite");
    let store = Store::open(&*file, Duration::ZERO).await.expect("opened");
    let second = Store::open(&*file, Duration::ZERO).await.expect_err("in use");
    assert!(second.to_string().contains("in use by another process"), "{second}");
    let site = site::from_toml("s.toml", GOOD).expect("good").site;
    stored::import(&store, &site).await.expect("imported");
    assert_eq!(stored::load(&store).await.expect("loaded").as_ref(), Some(&site));
    // A meter that the database refuses (two on one address) takes the whole import down with it.
    let mut bad = site.clone();
    bad.settings.name = "Changed".into();
    bad.meters[2].unit = 1;
    stored::import(&store, &bad).await.expect_err("refused");
    assert_eq!(stored::load(&store).await.expect("loaded"), Some(site.clone()));
    // Again is harmless, and a new address goes through.
    let mut moved = site;
    moved.gateways[0].address = "127.0.0.1:15022".into();
    stored::import(&store, &moved).await.expect("imported");
    assert_eq!(stored::load(&store).await.expect("loaded"), Some(moved));
}
