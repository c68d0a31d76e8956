//! The page of remote commands: who and what, the preview, and what became of the last batches.

use super::{Lang, words};
use crate::{
    api::commands::BatchView,
    control::{Kind, Preview},
    site::Site,
};
use askama::Template;

#[derive(Template)]
#[template(path = "commands.html")]
struct Page<'a> {
    site: &'a str,
    lang: &'static str,
    title: &'static str,
    words: Vec<&'static str>,
    kinds: Vec<(&'static str, &'static str)>,
    buildings: Vec<(&'a str, &'a str)>,
    gateways: Vec<&'a str>,
    buses: Vec<&'a str>,
    money: Vec<(&'static str, &'static str)>,
    hidden: Vec<(&'static str, String)>,
    refusal: Option<String>,
    preview: Option<Shown>,
    batches: Vec<Line<'a>>,
}

struct Shown {
    text: String,
    shops: Vec<(String, String, String)>,
}

struct Line<'a> {
    id: i64,
    made: &'a str,
    kind: &'static str,
    state: &'a str,
    counts: String,
    why: &'a str,
}

/// Renders the page.
///
/// # Errors
/// What the template engine reports.
pub fn page(
    site: &Site,
    lang: Lang,
    hidden: Vec<(&'static str, String)>,
    preview: Option<Result<Preview, String>>,
    batches: &[BatchView],
) -> Result<String, askama::Error> {
    let kinds: Vec<_> = Kind::ALL.into_iter().map(|(_, code, en, zh)| (code, lang.pick(en, zh))).collect();
    let (preview, refusal) = match preview {
        None => (None, None),
        Some(Ok(preview)) => (Some(preview), None),
        Some(Err(reason)) => (None, Some(reason)),
    };
    Page {
        site: &site.settings.name,
        lang: lang.pick("en", "zh"),
        title: lang.pick("Commands", "远程控制"),
        words: [
            ("Command", "命令"),
            ("Building", "楼栋"),
            ("Floor", "楼层"),
            ("Gateway", "网关"),
            ("Bus", "总线"),
            ("Money", "费用状态"),
            ("Meters", "表号"),
            ("Operator", "操作员"),
            ("Administrator", "管理员"),
            ("Reason", "原因"),
            ("Preview", "预览"),
            ("Order", "下发"),
            ("any", "全部"),
            ("Export (CSV)", "导出 (CSV)"),
        ]
        .into_iter()
        .map(|(en, zh)| lang.pick(en, zh))
        .collect(),
        buildings: site.buildings.iter().map(|one| (one.code.as_str(), one.name.as_str())).collect(),
        gateways: site.gateways.iter().map(|one| one.code.as_str()).collect(),
        buses: site.buses.iter().map(|one| one.code.as_str()).collect(),
        money: words::MONEY.into_iter().map(|(code, _, en, zh)| (code, lang.pick(en, zh))).collect(),
        hidden,
        refusal,
        preview: preview.map(|preview| shown(preview, lang)),
        batches: batches.iter().map(|batch| line(batch, &kinds)).collect(),
        kinds: kinds.clone(),
    }
    .render()
}

fn shown(preview: Preview, lang: Lang) -> Shown {
    let Preview { meters, shops, power_w, without_account, tagged, shops_hit } = preview;
    let kw = crate::amount::milli(power_w);
    let text = match lang {
        Lang::En => format!(
            "{meters} meters, {shops} shops, {kw} kW; {without_account} without a shop, {tagged} under a work tag"
        ),
        Lang::Zh => format!("{meters} 块电表，{shops} 家商铺，{kw} kW；无商铺 {without_account}，已挂牌 {tagged}"),
    };
    let shops = shops_hit.into_iter().map(|(code, name, power_w)| (code, name, crate::amount::milli(power_w)));
    Shown { text, shops: shops.collect() }
}

fn line<'a>(batch: &'a BatchView, kinds: &[(&str, &'static str)]) -> Line<'a> {
    let counts: Vec<String> = batch.counts.iter().map(|(state, count)| format!("{state} {count}")).collect();
    let kind = kinds.iter().find(|known| known.0 == batch.kind).map_or("", |known| known.1);
    Line {
        id: batch.id,
        made: &batch.made_local,
        kind,
        state: &batch.state,
        counts: counts.join(" · "),
        why: &batch.why,
    }
}
