//! The typed calls of a meter that has dialled in: the same as those of a client on a line.

use crate::rig::{Dialer, Fate, serial, wait_for};
use meter_protocol::acrel::*;
use meter_protocol::client::tokio::dial_in::{Hub, HubConfig, HubEvent};
use meter_protocol::client::tokio::{MeterError, ReplyBuffer, TransactError};
use meter_protocol::session::NotTransmitted;
use meter_protocol::virtual_meter as vm;

fn settled() -> Profile {
    let mut profile = Profile::unsettled();
    profile.price_decimals = PriceDecimals::new(4);
    profile.rate_codes = Some(RateCodes::FromOne);
    profile.date_table_order = Some(DateTableOrder::TableDayMonth);
    profile
}

#[tokio::test(start_paused = true)]
async fn blocks_and_fields_are_read() {
    let (hub, mut events) = Hub::new([serial()], HubConfig::default()).unwrap();
    let meter = Dialer::new(vm::Model::Ddsy1352, None).dial(&hub, &mut events).await;
    let now = meter.read_realtime(1).await.unwrap();
    assert_eq!((now.remaining_minor, now.purchase_count), (20_00, 7));
    assert_eq!(meter.detect_layout(1).await.unwrap(), RealtimeLayout::FourRate);
    assert_eq!(meter.read_realtime_as(RealtimeLayout::FourRate, 1).await.unwrap().remaining_minor, 20_00);
    assert_eq!(meter.read_prepay(1).await.unwrap().remaining_minor, 20_00);
    assert_eq!(meter.read_block::<PrepayBlock>(1).await.unwrap().purchase_count, 7);
    assert_eq!(meter.read_meter_number(1).await.unwrap().to_string(), "202603050012");
    assert_eq!(meter.read_version(1).await.unwrap(), FirmwareVersion::Release(120));
    let balance = meter.read_number(1, &fields::realtime::REMAINING_AMOUNT).await.unwrap();
    assert_eq!(balance.to_string(), "20.00");
    let mut buffer = ReplyBuffer::new();
    assert_eq!(meter.read_registers(1, 0x0221, 1, &mut buffer).await.unwrap().word(0x0221), Some(7));
    let nowhere = meter.read_registers(1, 0x7000, 1, &mut buffer).await.unwrap_err();
    assert!(matches!(nowhere, MeterError::Transact(TransactError::Exception(_))), "{nowhere:?}");
}

#[tokio::test(start_paused = true)]
async fn everything_that_is_written_shows_when_it_is_read_back() {
    let (hub, mut events) = Hub::new([serial()], HubConfig::default()).unwrap();
    let dialer = Dialer::new(vm::Model::Dtsy1352, None);
    let meter = dialer.dial(&hub, &mut events).await;
    let profile = settled();

    let prices = MicroPrices { spike: 1_200_000, peak: 1_000_000, flat: 800_000, valley: 400_000 };
    let settings = Settings::new().alarms(20_00, 5_00).overdraft(10_00).prices(&profile, prices).unwrap();
    meter.write_settings(1, &settings).await.unwrap();
    settings.shown_by(&meter.read_prepay(1).await.unwrap()).unwrap();

    meter.write_force(1, ForceMode::SupplyOff).await.unwrap();
    assert_eq!(meter.read_force(1).await.unwrap().mode(), Some(ForceMode::SupplyOff));
    assert!(!dialer.behind().meter.relay_closed());
    meter.write_force(1, ForceMode::Prepaid).await.unwrap();
    assert!(dialer.behind().meter.relay_closed());

    let clock = Clock::new(2027, 1, 2, 3, 4, 5).unwrap();
    meter.write_clock(1, &clock).await.unwrap();
    assert_eq!(meter.read_realtime(1).await.unwrap().clock, Ok(clock));

    let money = MoneyOverwrite::new().remaining(30_00);
    meter.overwrite_money(1, &money).await.unwrap();
    money.shown_by(&meter.read_prepay(1).await.unwrap()).unwrap();

    let model = meter.confirm_model(1).await.unwrap();
    let slots = [Slot { hour: 0, minute: 0, rate: Rate::Flat }, Slot { hour: 8, minute: 30, rate: Rate::Peak }];
    let table = DayTable::new(&profile, &slots).unwrap();
    meter.write_day_table(&model, DayTableNumber::First, &table).await.unwrap();
    let shown = meter.read_day_table(&model, DayTableNumber::First).await.unwrap();
    assert_eq!(shown.slots(RateCodes::FromOne).collect::<Result<Vec<_>, _>>().unwrap(), slots);
    let entries = [DateEntry { month: 1, day: 1, table: 0 }];
    let dates = DateTable::new(&profile, &entries).unwrap();
    meter.write_date_table(&model, &dates).await.unwrap();
    assert_eq!(meter.read_date_table(&model).await.unwrap().bytes(), dates.bytes());

    meter.write_field(1, &fields::settings::RELAY_PULSE_WIDTH, 250).await.unwrap();
    assert_eq!(meter.read_number(1, &fields::settings::RELAY_PULSE_WIDTH).await.unwrap().to_string(), "250");
    let empty = meter.write_settings(1, &Settings::new()).await.unwrap_err();
    assert!(matches!(empty, MeterError::Build(BuildError::Empty { .. })), "{empty:?}");
}

#[tokio::test(start_paused = true)]
async fn a_model_is_confirmed_for_one_connection_only() {
    let (hub, mut events) = Hub::new([serial()], HubConfig::default()).unwrap();
    let dialer = Dialer::new(vm::Model::Ddsy1352, None);
    let first = dialer.dial(&hub, &mut events).await;
    let model = first.confirm_model(1).await.unwrap();
    dialer.suffer(Fate::HangUp);
    first.read_force(1).await.unwrap_err();
    wait_for(&mut events, |event| matches!(event, HubEvent::Closed { .. })).await;

    dialer.suffer(Fate::Carried);
    let second = dialer.dial(&hub, &mut events).await;
    let frames = dialer.behind().frames;
    let table = DayTable::new(&settled(), &[Slot { hour: 0, minute: 0, rate: Rate::Flat }]).unwrap();
    let refused = second.write_day_table(&model, DayTableNumber::First, &table).await.unwrap_err();
    assert!(matches!(refused, MeterError::Build(BuildError::Confirmation { .. })), "{refused}");
    assert_eq!(dialer.behind().frames, frames, "nothing was sent");
    // The old handle does not speak to the new connection.
    let gone = first.write_force(1, ForceMode::SupplyOff).await.unwrap_err();
    assert!(matches!(gone, TransactError::NotTransmitted { reason: NotTransmitted::LinkDown, .. }), "{gone:?}");
    assert!(dialer.behind().meter.relay_closed());
}

#[tokio::test(start_paused = true)]
async fn calls_of_several_callers_go_one_after_another() {
    let (hub, mut events) = Hub::new([serial()], HubConfig::default()).unwrap();
    let meter = Dialer::new(vm::Model::Ddsy1352, None).dial(&hub, &mut events).await;
    let callers: Vec<_> = (0..20)
        .map(|_| {
            let meter = meter.clone();
            tokio::spawn(async move { meter.read_realtime(1).await.map(|now| now.remaining_minor) })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap(), 20_00);
    }
}
