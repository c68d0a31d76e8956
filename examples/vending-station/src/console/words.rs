//! The page's words in Chinese and English. Both are equal: a word that lacks one language doesn't compile.

use serde::Serialize;
use std::collections::BTreeMap;

/// A language of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lang {
    /// English.
    En,
    /// Chinese, simplified.
    Zh,
}

impl Lang {
    /// The language that a query, a cookie or a browser asks for; English if none of them says.
    pub fn choose(query: Option<&str>, accept_language: Option<&str>) -> Self {
        let asked = query.or_else(|| accept_language.and_then(|list| list.split(',').next())).unwrap_or("en");
        if asked.trim().starts_with("zh") { Self::Zh } else { Self::En }
    }

    /// The word of this language.
    pub fn pick(self, en: &'static str, zh: &'static str) -> &'static str {
        match self {
            Self::En => en,
            Self::Zh => zh,
        }
    }
}

/// What stands on the page itself.
#[derive(Debug)]
pub struct PageWords {
    /// For the `lang` attribute.
    pub lang: &'static str,
    /// The other language's code.
    pub other_lang: &'static str,
    /// The other language's name in itself.
    pub other_name: &'static str,
    /// Page title.
    pub title: &'static str,
    /// Name of the legend.
    pub legend: &'static str,
    /// The station does not answer.
    pub gone: &'static str,
    /// Close the dialog.
    pub close: &'static str,
    /// Amount.
    pub amount: &'static str,
    /// Sell.
    pub sell: &'static str,
    /// Balance.
    pub balance: &'static str,
    /// Balance less what is reserved.
    pub available: &'static str,
    /// State.
    pub state: &'static str,
    /// Where the money is kept.
    pub purse: &'static str,
    /// Tariff.
    pub tariff: &'static str,
    /// Meter.
    pub meter: &'static str,
    /// Power.
    pub power: &'static str,
    /// Energy.
    pub energy: &'static str,
    /// Last contact.
    pub last_contact: &'static str,
    /// Recent sales.
    pub sales: &'static str,
    /// Recent events.
    pub events: &'static str,
    /// A collector.
    pub collector: &'static str,
    /// The page of remote commands.
    pub commands: &'static str,
}

impl PageWords {
    /// The words of one language.
    pub fn of(lang: Lang) -> Self {
        let pick = |en, zh| lang.pick(en, zh);
        Self {
            lang: pick("en", "zh-CN"),
            other_lang: pick("zh", "en"),
            other_name: pick("中文", "English"),
            title: pick("Live", "实时监控"),
            legend: pick("Legend", "图例"),
            gone: pick("The station does not answer. What you see is old.", "售电站没有响应，页面数据已过期。"),
            close: pick("Close", "关闭"),
            amount: pick("Amount", "金额"),
            sell: pick("Sell credit", "售电"),
            balance: pick("Balance", "余额"),
            available: pick("Available", "可用余额"),
            state: pick("State", "状态"),
            purse: pick("Credit is kept", "预付费模式"),
            tariff: pick("Tariff", "电价方案"),
            meter: pick("Meter", "电表"),
            power: pick("Power", "功率"),
            energy: pick("Energy", "累计电量"),
            last_contact: pick("Last contact", "最近通信"),
            sales: pick("Recent sales", "最近售电"),
            events: pick("Recent events", "最近事件"),
            collector: pick("Collector", "集中器"),
            commands: pick("Commands", "远程控制"),
        }
    }
}

/// A state's stable code, its sign and its name in both languages. Signs differ in shape, not in colour alone.
type State = (&'static str, &'static str, &'static str, &'static str);

/// Money states in the order of the legend.
pub const MONEY: [State; 5] = [
    ("normal", "●", "Normal", "正常"),
    ("alarm_1", "▲", "Alarm 1", "报警1"),
    ("alarm_2", "▲▲", "Alarm 2", "报警2"),
    ("arrears", "■", "Arrears", "欠费"),
    ("not_opened", "○", "Not opened", "未开户"),
];
/// Supply states.
pub const SUPPLY: [State; 7] = [
    ("prepaid", "", "Prepaid", "预付费"),
    ("off", "✕", "Cut off", "已断电"),
    ("keep_power", "◆", "Keep power", "保电"),
    ("forced_off", "✕", "Forced off", "强制拉闸"),
    ("shed", "↓", "Shed", "限电"),
    ("overload_trip", "⚡", "Overload trip", "过载跳闸"),
    ("work_tag", "⚑", "Work tag", "检修挂牌"),
];
/// Link states.
pub const LINK: [State; 4] = [
    ("fresh", "", "Fresh", "通信正常"),
    ("stale", "…", "Stale", "数据过期"),
    ("lost", "⁄⁄", "Lost contact", "失联"),
    ("quarantined", "‖", "Quarantined", "隔离"),
];
/// What becomes of a sale.
const SALE: [(&str, &str, &str); 8] = [
    ("requested", "paid, waiting for the meter", "已收款，等待电表"),
    ("intended", "booked, on its way to the meter", "已记账，正在下发"),
    (
        "unknown",
        "not yet known: the meter will be read. You may serve the next customer",
        "结果未知，将读表确认，可服务下一位",
    ),
    ("applied", "credited", "已到账"),
    ("applied_by_count", "credited (by count only)", "已到账（按次数确认）"),
    ("quarantined", "held for an operator", "已隔离，待人工处理"),
    ("voided", "not credited, the money is due back", "未到账，应退款"),
    ("refused", "refused", "已拒绝"),
];

fn names(lang: Lang, states: &[State]) -> BTreeMap<&'static str, &'static str> {
    states.iter().map(|(code, _, en, zh)| (*code, lang.pick(en, zh))).collect()
}

/// The sign of a state.
pub fn glyph(states: &[State], code: &str) -> &'static str {
    states.iter().find(|state| state.0 == code).map_or("", |state| state.1)
}

/// The name of a state; an unknown code stands for itself.
pub fn name<'a>(lang: Lang, states: &[State], code: &'a str) -> &'a str {
    states.iter().find(|state| state.0 == code).map_or(code, |state| lang.pick(state.2, state.3))
}

/// A collector that has a session.
pub fn online(lang: Lang) -> &'static str {
    lang.pick("online", "在线")
}

/// A collector that has none, before the time.
pub fn lost_since(lang: Lang) -> &'static str {
    lang.pick("lost contact since", "失联，自")
}

/// What the page's script needs.
#[derive(Debug, Serialize)]
pub struct ScriptWords {
    glyph: BTreeMap<&'static str, &'static str>,
    money: BTreeMap<&'static str, &'static str>,
    supply: BTreeMap<&'static str, &'static str>,
    link: BTreeMap<&'static str, &'static str>,
    purse: BTreeMap<&'static str, &'static str>,
    sale: BTreeMap<&'static str, &'static str>,
    event: BTreeMap<&'static str, &'static str>,
    selling: &'static str,
    refused: &'static str,
    no_answer: &'static str,
    booked: &'static str,
    online: &'static str,
    lost_since: &'static str,
}

impl ScriptWords {
    /// The words of one language; `events` are the codes and names of account events.
    pub fn of(lang: Lang, events: &[(&'static str, &'static str, &'static str)]) -> Self {
        Self {
            glyph: MONEY.iter().map(|state| (state.0, state.1)).collect(),
            money: names(lang, &MONEY),
            supply: names(lang, &SUPPLY),
            link: names(lang, &LINK),
            purse: [("meter", lang.pick("in the meter", "电表内")), ("station", lang.pick("at the station", "售电站"))]
                .into(),
            sale: SALE.iter().map(|(code, en, zh)| (*code, lang.pick(en, zh))).collect(),
            event: events.iter().map(|(code, en, zh)| (*code, lang.pick(en, zh))).collect(),
            selling: lang.pick("Booking…", "正在记账…"),
            refused: lang.pick("Refused", "已拒绝"),
            no_answer: lang.pick(
                "No answer from the station. Press again: the same sale is not booked twice.",
                "售电站没有响应。再按一次即可，不会重复记账。",
            ),
            booked: lang.pick(
                "booked, its state can't be read now. Do not sell again; number",
                "已记账，暂时无法读取状态，请勿重复售电；编号",
            ),
            online: online(lang),
            lost_since: lost_since(lang),
        }
    }

    /// As JSON that is safe inside a script element.
    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default().replace('<', "\\u003c")
    }
}
