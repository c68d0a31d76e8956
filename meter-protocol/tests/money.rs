//! Master and virtual meter joined where money moves: every pair of what the client believes and what the meter does,
//! and a power cut at every byte. The two sides share no code, so they only agree where two readings of the documents do.
#![cfg(feature = "virtual-meter")]
#![allow(clippy::disallowed_methods, reason = "tests may panic")]

use meter_protocol::acrel::*;
use meter_protocol::session::{LineConfig, Outcome, Session};
use meter_protocol::virtual_meter as vm;
use meter_protocol::wire::{MAX_ADU_LEN, Registers, Reply, Request};

/// 2026-03-05 10:00, a Thursday.
const START_MS: i64 = 1_772_704_800_000;
const HOUR_MS: i64 = 3_600_000;
const UNIT: u8 = 1;

/// What came back on a request.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    Registers(u16, Vec<u8>),
    Confirmed,
    Refused,
    Nothing,
}

/// What the line does to one request and its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Carried,
    RequestLost,
    ReplyLost,
    /// The request stays in a gateway until [`Rig::release`].
    Held,
    /// Power fails after so many bytes of request and reply together.
    PowerCut(usize),
}

/// A master's session with one virtual meter behind it.
struct Rig {
    session: Session,
    bus: vm::VirtualBus,
    now_us: u64,
    now_ms: i64,
    held: Vec<Vec<u8>>,
    /// Frames other than reads that the master has sent.
    writes: usize,
}

impl Rig {
    fn new(model: vm::Model, options: vm::MeterOptions) -> Self {
        let mut setup = vm::MeterSetup::new(model, UNIT, [2, 0, 2, 6, 0, 3, 0, 5, 0, 0, 1, 2], START_MS);
        (setup.prepay_enabled, setup.remaining_cents, setup.purchase_count) = (true, 50_000, 12);
        let mut bus = vm::VirtualBus::new(vm::FaultInjector::new(vm::Faults::NONE, 0), None);
        bus.add(vm::VirtualMeter::new(&setup, options).unwrap()).unwrap();
        let session = Session::new(LineConfig::rtu_unpaced());
        Self { session, bus, now_us: 0, now_ms: START_MS, held: Vec::new(), writes: 0 }
    }

    fn meter(&mut self) -> &mut vm::VirtualMeter {
        self.bus.meter_mut(0).unwrap()
    }

    fn wait(&mut self, ms: i64) {
        self.now_ms += ms;
        self.now_us += u64::try_from(ms).unwrap() * 1_000;
        let now_ms = self.now_ms;
        self.meter().advance(now_ms);
    }

    fn send(&mut self, request: &Request<'_>, fate: Fate) -> Came {
        self.writes += usize::from(!request.is_read());
        self.session.submit(self.now_us, UNIT, request).unwrap();
        let mut buf = [0; MAX_ADU_LEN];
        let frame = loop {
            match self.session.poll_transmit(self.now_us, &mut buf) {
                Some(frame) => break frame.to_vec(),
                None => self.now_us = self.session.poll_timeout().unwrap(),
            }
        };
        self.session.transmitted(self.now_us);
        let deliveries = match fate {
            Fate::Carried => self.bus.request(self.now_ms, &frame).deliveries,
            Fate::PowerCut(bytes) => self.bus.request_until_power_cut(self.now_ms, &frame, bytes).deliveries,
            Fate::ReplyLost => {
                self.bus.request(self.now_ms, &frame);
                Vec::new()
            }
            Fate::RequestLost => Vec::new(),
            Fate::Held => {
                self.held.push(frame);
                Vec::new()
            }
        };
        for delivery in deliveries {
            self.session.receive(self.now_us, &delivery.bytes);
        }
        loop {
            if let Some(event) = self.session.poll_event() {
                return match event.outcome {
                    Outcome::Reply(Reply::Registers(r)) => Came::Registers(r.address(), r.bytes().to_vec()),
                    Outcome::Reply(_) => Came::Confirmed,
                    Outcome::Exception(_) => Came::Refused,
                    Outcome::NoReply(_) => Came::Nothing,
                    Outcome::NotTransmitted(why) => panic!("{why}"),
                };
            }
            self.now_us = self.session.poll_timeout().unwrap().max(self.now_us);
            self.session.handle_timeout(self.now_us);
        }
    }

    /// What was held reaches the meter; the replies come too late for anybody.
    fn release(&mut self) {
        for frame in std::mem::take(&mut self.held) {
            self.bus.request(self.now_ms, &frame);
        }
    }

    fn read<T>(&mut self, request: &Request<'_>, parse: impl FnOnce(&Registers<'_>) -> Result<T, BlockError>) -> T {
        match self.send(request, Fate::Carried) {
            Came::Registers(address, bytes) => parse(&Registers::holding(address, &bytes).unwrap()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn realtime(&mut self) -> Realtime {
        self.read(&Realtime::READ, |r| Realtime::from_registers(RealtimeLayout::FourRate, r))
    }

    fn prepay(&mut self) -> PrepayBlock {
        self.read(&PrepayBlock::READ, PrepayBlock::from_registers)
    }

    fn model(&mut self) -> Confirmed<Model> {
        let link = self.session.link();
        self.read(&Model::READ, |r| Confirmed::from_reply(UNIT, link, r))
    }

    /// Something that somebody else did to the meter before.
    fn prepared(&mut self, body: &[u8]) {
        let mut frame = body.to_vec();
        frame.extend(meter_protocol::wire::crc::crc16(&frame).to_le_bytes());
        let now_ms = self.now_ms;
        // Some of the meters answer function 20H with silence.
        let reply = self.meter().serve(now_ms, &frame);
        assert!(reply.is_none_or(|reply| reply[1] == body[1]), "{body:02X?}");
    }

    fn set_prices(&mut self, raw: u32) {
        let mut body = vec![UNIT, 0x20, 2, 0, 0, 30, 60];
        body.resize(67, 0);
        body[7 + 29] = 1;
        for price in 0..4 {
            body[37 + 4 * price..41 + 4 * price].clone_from_slice(&raw.to_be_bytes());
        }
        self.prepared(&body);
    }
}

fn every_answer() -> impl Iterator<Item = (vm::VendorReply, vm::VendorRefusal)> {
    vm::VendorReply::ALL.iter().flat_map(|reply| vm::VendorRefusal::ALL.iter().map(move |refusal| (*reply, *refusal)))
}

#[test]
fn every_belief_about_equal_counts_meets_every_meter() {
    const AMOUNT: u32 = 10_000;
    let beliefs =
        [None, Some(EqualCountRule::Acknowledges), Some(EqualCountRule::Refuses), Some(EqualCountRule::AddsAgain)];
    let (mut runs, mut doubled) = (0, 0);
    for belief in beliefs {
        for equal_count in vm::EqualCount::ALL {
            for (vendor_reply, vendor_refusal) in every_answer() {
                for fate in [Fate::Carried, Fate::RequestLost, Fate::ReplyLost, Fate::Held] {
                    let mut options = vm::MeterOptions::default();
                    options.equal_count = *equal_count;
                    (options.vendor_reply, options.vendor_refusal) = (vendor_reply, vendor_refusal);
                    let mut rig = Rig::new(vm::Model::Ddsy1352, options);
                    let mut profile = Profile::unsettled();
                    profile.equal_count = belief;

                    let before = PurseReading::from(&rig.realtime());
                    let sale = Purchase::new(AMOUNT, before.purchase_count).unwrap();
                    let came = rig.send(&sale.request(), fate);
                    let shown = PurseReading::from(&rig.realtime());
                    let verdict = sale.verdict(&before, &shown, 0);
                    let mut frames = 1;
                    if verdict == SaleVerdict::NotTaken && came == Came::Nothing {
                        match sale.repeat(&profile, shown.purchase_count) {
                            Ok(again) => {
                                frames += 1;
                                rig.send(&again, Fate::Carried);
                            }
                            Err(error) => {
                                assert!(matches!(belief, None | Some(EqualCountRule::AddsAgain)), "{error}");
                                assert!(error.to_string().contains("bench test 6"), "{error}");
                            }
                        }
                    }
                    // Whatever the line still held has arrived before the last look.
                    rig.release();
                    let after = PurseReading::from(&rig.realtime());
                    let last = sale.verdict(&before, &after, 0);

                    let credited = (rig.meter().remaining_cents() - 50_000) / i32::try_from(AMOUNT).unwrap();
                    let case = format!("{belief:?} {equal_count:?} {vendor_reply:?} {vendor_refusal:?} {fate:?}");
                    match credited {
                        0 => assert_eq!(last, SaleVerdict::NotTaken, "{case}"),
                        1 => assert_eq!(last, SaleVerdict::Taken { used_minor: 0 }, "{case}"),
                        2 => {
                            assert!(
                                matches!(last, SaleVerdict::Contradicted(SaleContradiction::TooMuch { .. })),
                                "{case}"
                            );
                            // Only a profile that is wrong about this meter gets here, and it is told.
                            assert_eq!(*equal_count, vm::EqualCount::AddAgain, "{case}");
                            assert!(!matches!(belief, None | Some(EqualCountRule::AddsAgain)), "{case}");
                            doubled += 1;
                        }
                        more => panic!("credited {more} times: {case}"),
                    }
                    if matches!(belief, None | Some(EqualCountRule::AddsAgain)) {
                        assert_eq!(frames, 1, "{case}");
                    }
                    runs += 1;
                }
            }
        }
    }
    assert_eq!(runs, 4 * 3 * 9 * 4);
    assert!(doubled > 0, "the dangerous pairs are among them");
}

#[test]
fn every_belief_about_the_price_scale_meets_every_meter() {
    let beliefs = (0..=PriceDecimals::MAX).map(PriceDecimals::new).chain([None]);
    let wanted = MicroPrices { spike: 1_200_000, peak: 1_000_000, flat: 700_000, valley: 400_000 };
    let mut written = 0;
    for belief in beliefs {
        for scale in vm::PriceScale::ALL {
            let mut options = vm::MeterOptions::default();
            options.price_scale = *scale;
            let mut rig = Rig::new(vm::Model::Dtsy1352, options);
            rig.set_prices(1_000_000 / scale.millionths());
            rig.meter().set_load(vm::Load::new([3_000, 4_000, 3_000], 1_000));
            let before = (rig.realtime(), rig.prepay());
            rig.wait(2 * HOUR_MS);
            let after = (rig.realtime(), rig.prepay());
            let evidence = PriceEvidence::between((&before.0, &before.1), (&after.0, &after.1)).unwrap();

            // The client's duty before it writes a price.
            let mut profile = Profile::unsettled();
            profile.price_decimals = belief;
            let settings = match evidence.check(&profile) {
                Ok(()) => Settings::new().prices(&profile, wanted).map_err(|error| error.to_string()),
                Err(contradiction) => Err(contradiction.to_string()),
            };
            let truth = 10_u32.pow(evidence.decimals().unwrap().get().into());
            assert_eq!(truth * scale.millionths(), 1_000_000, "the meter's figures give its scale away");
            let agrees = belief == evidence.decimals();
            match settings {
                Ok(settings) => {
                    assert!(agrees, "{belief:?} {scale:?}");
                    rig.send(&settings.request().unwrap(), Fate::Carried);
                    let shown = rig.prepay();
                    assert_eq!(settings.shown_by(&shown), Ok(()));
                    assert_eq!(
                        shown.prices.micro(&profile).unwrap(),
                        [wanted.spike, wanted.peak, wanted.flat, wanted.valley]
                    );
                    // What an hour at 10 kW costs now, by the meter's own purse: 7.00 in the flat rate.
                    let start = rig.meter().remaining_cents();
                    rig.wait(HOUR_MS);
                    assert_eq!(start - rig.meter().remaining_cents(), 700, "{scale:?}");
                    written += 1;
                }
                Err(told) => {
                    assert!(!agrees && told.contains("bench test 4"), "{belief:?} {scale:?}: {told}");
                    assert_eq!(rig.writes, 0, "{belief:?} {scale:?}");
                }
            }
        }
    }
    assert_eq!(written, vm::PriceScale::ALL.len());
}

#[test]
fn every_belief_about_rate_codes_meets_every_meter() {
    let mut written = 0;
    for belief in [None, Some(RateCodes::FromOne), Some(RateCodes::FromZero)] {
        for codes in vm::RateCodes::ALL {
            for (model, table_1) in [(vm::Model::Dtsy1352, [0x20, 0x00]), (vm::Model::Ddsy1352, [0x20, 0x06])] {
                let mut options = vm::MeterOptions::default();
                options.rate_codes = *codes;
                let mut rig = Rig::new(model, options);
                // What the meter had: peak from 00:05, valley from 23:00, in its own codes.
                let shift = u8::from(*codes == vm::RateCodes::FromOne);
                let mut table = [&[UNIT, 0x10][..], &table_1, &[0, 21, 42, 1 + shift, 5, 0, 3 + shift, 0, 23]].concat();
                table.resize(49, 0);
                rig.prepared(&table);
                rig.meter().set_load(vm::Load::new([2_000, 0, 0], 1_000));

                let confirmed = rig.model();
                let request = DayTableReading::read(&confirmed, DayTableNumber::First).unwrap();
                let reading = rig.read(&request, DayTableReading::from_registers);
                let before = rig.realtime();
                rig.wait(HOUR_MS);
                let evidence = RateEvidence::between(&reading, &before, &rig.realtime()).unwrap();

                let mut profile = Profile::unsettled();
                profile.rate_codes = belief;
                let slots = [
                    Slot { hour: 0, minute: 0, rate: Rate::Valley },
                    Slot { hour: 11, minute: 0, rate: Rate::Spike },
                    Slot { hour: 12, minute: 0, rate: Rate::Flat },
                ];
                let table = match evidence.check(&profile) {
                    Ok(()) => DayTable::new(&profile, &slots).map_err(|error| error.to_string()),
                    Err(contradiction) => Err(contradiction.to_string()),
                };
                let agrees = belief.is_some() && belief == evidence.codes();
                match table {
                    Ok(table) => {
                        assert!(agrees, "{belief:?} {codes:?}");
                        let came = rig.send(&table.request(&confirmed, DayTableNumber::First).unwrap(), Fate::Carried);
                        assert_eq!(came, Came::Confirmed);
                        let spike = rig.realtime().energy.spike_centikwh;
                        rig.wait(HOUR_MS / 2);
                        assert_eq!(rig.realtime().energy.spike_centikwh - spike, 100, "{codes:?}: 11:00 is spike now");
                        written += 1;
                    }
                    Err(told) => {
                        assert!(!agrees && told.contains("bench test 2"), "{belief:?} {codes:?}: {told}");
                        assert_eq!(rig.writes, 0, "{belief:?} {codes:?}");
                    }
                }
            }
        }
    }
    assert_eq!(written, 4, "two codes on two models");
}

/// Longest reply to function 20H that the virtual meter gives.
const REPLY_BYTES: usize = 15;

#[test]
fn a_power_cut_at_every_byte_of_a_sale() {
    const FRAME_BYTES: usize = 17;
    for (vendor_reply, vendor_refusal) in every_answer() {
        let mut taken = 0;
        for cut in 0..=FRAME_BYTES + REPLY_BYTES {
            let mut options = vm::MeterOptions::default();
            (options.vendor_reply, options.vendor_refusal) = (vendor_reply, vendor_refusal);
            let mut rig = Rig::new(vm::Model::Dtsy1352, options);
            rig.set_prices(10_000);
            rig.meter().set_load(vm::Load::new([5_000, 5_000, 5_000], 1_000));
            let before = PurseReading::from(&rig.realtime());
            let sale = Purchase::new(25_000, before.purchase_count).unwrap();
            rig.send(&sale.request(), Fate::PowerCut(cut));
            // The shop goes on using electricity while nobody can look: 0.83 kWh in 200 s.
            rig.wait(200_000);
            let verdict = sale.verdict(&before, &PurseReading::from(&rig.realtime()), 1_00);
            let truth = rig.meter().purchase_count() == 13;
            match verdict {
                SaleVerdict::Taken { used_minor } => assert!(truth && (80..=85).contains(&used_minor), "{cut}"),
                SaleVerdict::NotTaken => assert!(!truth, "{cut}"),
                SaleVerdict::Contradicted(what) => panic!("{cut}: {what}"),
            }
            assert_eq!(truth, cut >= FRAME_BYTES, "{cut}");
            taken += usize::from(truth);
        }
        assert_eq!(taken, REPLY_BYTES + 1);
    }
}

#[test]
fn a_power_cut_at_every_byte_of_a_parameter_frame() {
    const FRAME_BYTES: usize = 69;
    let mut profile = Profile::unsettled();
    profile.price_decimals = PriceDecimals::new(4);
    let prices = MicroPrices { spike: 1_200_000, peak: 1_000_000, flat: 700_000, valley: 400_000 };
    let settings =
        Settings::new().enable(false).base_free(7_00).alarms(20_00, 5_00).overdraft(3_00).prices(&profile, prices);
    let settings = settings.unwrap();
    let money = MoneyOverwrite::new().remaining(-1_23).purchase_count(77);
    for vendor_reply in vm::VendorReply::ALL {
        for cut in 0..=FRAME_BYTES + REPLY_BYTES {
            let mut options = vm::MeterOptions::default();
            options.vendor_reply = *vendor_reply;
            let mut rig = Rig::new(vm::Model::Ddsy1352, options);
            let untouched = rig.prepay();
            rig.send(&settings.request().unwrap(), Fate::PowerCut(cut));
            let shown = rig.prepay();
            assert_eq!(settings.shown_by(&shown).is_ok(), cut >= FRAME_BYTES, "{cut}");
            if cut < FRAME_BYTES {
                assert_eq!(shown, untouched, "{cut}");
            }
            assert_eq!((shown.remaining_minor, shown.purchase_count), (50_000, 12), "settings can't touch money");

            rig.send(&money.request().unwrap(), Fate::PowerCut(cut));
            let after = rig.prepay();
            assert_eq!(money.shown_by(&after).is_ok(), cut >= FRAME_BYTES, "{cut}");
            let truth = (rig.meter().remaining_cents(), rig.meter().purchase_count());
            assert_eq!((after.remaining_minor, after.purchase_count), truth);
            assert_eq!(truth, if cut >= FRAME_BYTES { (-123, 77) } else { (50_000, 12) }, "{cut}");
            assert_eq!(after.prices, shown.prices, "money can't touch settings");
        }
    }
}

#[test]
fn each_field_that_reads_back_otherwise_is_named() {
    let mut rig = Rig::new(vm::Model::Ddsy1352, vm::MeterOptions::default());
    let block = rig.prepay();
    let mut profile = Profile::unsettled();
    profile.price_decimals = PriceDecimals::new(4);
    profile.total_meaning = Some(TotalMeaning::Purchased);
    let price = |at: usize| {
        let mut raw = [0; 4];
        raw[at] = 5_000;
        let [spike, peak, flat, valley] = raw.map(|raw: u64| raw * 100);
        Settings::new().prices(&profile, MicroPrices { spike, peak, flat, valley }).unwrap()
    };
    let told = [
        (Settings::new().enable(false), "prepay enable shows 1, 0 was written"),
        (Settings::new().base_free(5), "base amount shows 0, 5 was written"),
        (Settings::new().alarms(6, 0), "alarm amount 1 shows 0, 6 was written"),
        (Settings::new().alarms(0, 7), "alarm amount 2 shows 0, 7 was written"),
        (Settings::new().overdraft(8), "overdraft limit shows 0, 8 was written"),
        (price(0), "price of the spike rate shows 0, 5000 was written"),
        (price(1), "price of the peak rate shows 0, 5000 was written"),
        (price(2), "price of the flat rate shows 0, 5000 was written"),
        (price(3), "price of the valley rate shows 0, 5000 was written"),
    ];
    for (settings, text) in told {
        assert_eq!(settings.shown_by(&block).unwrap_err().to_string(), text);
    }
    let told = [
        (MoneyOverwrite::new().remaining(-9), "remaining amount shows 50000, -9 was written"),
        (MoneyOverwrite::new().purchase_count(10), "purchase count shows 12, 10 was written"),
        (MoneyOverwrite::new().total(&profile, 11).unwrap(), "total shows 0, 11 was written"),
    ];
    for (money, text) in told {
        assert_eq!(money.shown_by(&block).unwrap_err().to_string(), text);
    }
}
