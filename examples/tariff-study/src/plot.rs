//! Plots, each as SVG and as PNG. Floats are for drawing only.

use std::path::{Path, PathBuf};

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

use crate::study::Study;

/// Width and height in pixels.
const SIZE: (u32, u32) = (1_200, 750);
const FONT: &str = "DejaVu Sans";
const GAIN: RGBColor = RGBColor(34, 120, 90);
const LOSS: RGBColor = RGBColor(190, 70, 50);
const COLOURS: [RGBColor; 6] = [
    RGBColor(90, 90, 90),
    RGBColor(30, 100, 180),
    RGBColor(220, 130, 20),
    RGBColor(130, 60, 150),
    RGBColor(40, 140, 100),
    RGBColor(190, 60, 60),
];

/// What could not be drawn.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlotError {
    #[error("{0}")]
    Drawing(String),
    #[error("the font is not readable")]
    Font,
}

/// A plot on any kind of canvas.
pub(crate) enum Plot {
    Gains,
    Prices,
}

/// The plots of a study and their files' names.
pub(crate) const ALL: [(&str, Plot); 2] = [("gains", Plot::Gains), ("prices", Plot::Prices)];

/// Draws a plot as SVG and as PNG.
pub(crate) fn both(out: &Path, name: &str, plot: Plot, study: &Study) -> Result<(), (PathBuf, PlotError)> {
    register_font(FONT, FontStyle::Normal, dejavu::sans::regular())
        .map_err(|_| (out.to_path_buf(), PlotError::Font))?;
    let svg = out.join(format!("{name}.svg"));
    plot.draw(&SVGBackend::new(&svg, SIZE).into_drawing_area(), study).map_err(|error| (svg.clone(), error))?;
    let png = out.join(format!("{name}.png"));
    plot.draw(&BitMapBackend::new(&png, SIZE).into_drawing_area(), study).map_err(|error| (png.clone(), error))
}

impl Plot {
    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, study: &Study) -> Result<(), PlotError> {
        let drawn = match self {
            Self::Gains => gains(area, study),
            Self::Prices => prices(area, study),
        };
        drawn.and_then(|()| area.present()).map_err(|error| PlotError::Drawing(error.to_string()))
    }
}

type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

/// A panel for each tariff but the first: the tenants in order of what they gain or lose.
fn gains<B: DrawingBackend>(area: &DrawingArea<B, Shift>, study: &Study) -> Drawn<B> {
    area.fill(&WHITE)?;
    let base = study.tariffs.first().map_or("", String::as_str);
    let title = format!("Change of the year's bill against \u{201c}{base}\u{201d}, at equal revenue, {}", study.year);
    let area = area.margin(12, 0, 0, 0).titled(&title, (FONT, 26))?;
    let others = study.tariffs.len().saturating_sub(1);
    for (panel, tariff) in area.split_evenly((1, others.max(1))).iter().zip(1..=others) {
        let mut changes: Vec<(f64, &str)> = study
            .outcomes
            .iter()
            .map(|outcome| (number(outcome.change_percent(tariff)), outcome.name.as_str()))
            .collect();
        changes.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(b.1)));
        let (low, high) = bounds(changes.iter().map(|(change, _)| *change).chain([-1.0, 1.0]));
        let rows = i32::try_from(changes.len()).unwrap_or(i32::MAX);
        let named = changes.len() <= 60;
        let mut chart = ChartBuilder::on(panel)
            .caption(study.tariffs.get(tariff).map_or("", String::as_str), (FONT, 20))
            .margin(12)
            .x_label_area_size(45)
            .y_label_area_size(if named { 110 } else { 20 })
            .build_cartesian_2d(low..high, 0..rows)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .x_desc("% of the bill")
            .label_style((FONT, 14))
            .draw()?;
        chart.draw_series(changes.iter().zip(0..rows).map(|((change, _), row)| {
            let colour = if *change > 0.0 { LOSS } else { GAIN };
            let mut bar = Rectangle::new([(0.0, row), (*change, row + 1)], colour.filled());
            bar.set_margin(1, 1, 0, 0);
            bar
        }))?;
        chart.draw_series([PathElement::new([(0.0, 0), (0.0, rows)], BLACK)])?;
        if named {
            let style = (FONT, 10).into_font().color(&BLACK);
            let plotting = chart.plotting_area();
            for ((_, name), row) in changes.iter().zip(0..rows) {
                let (x, y) = plotting.map_coordinate(&(low, row + 1));
                let (left, top) = panel.get_base_pixel();
                panel.draw(&Text::new((*name).to_string(), (x - left - 105, y - top + 2), style.clone()))?;
            }
        }
    }
    Ok(())
}

/// The mean price of a kWh against the year's energy, a colour for each tariff.
fn prices<B: DrawingBackend>(area: &DrawingArea<B, Shift>, study: &Study) -> Drawn<B> {
    area.fill(&WHITE)?;
    let energies = || study.outcomes.iter().map(|outcome| number(outcome.energy.to_decimal()) / 1_000.0);
    let all = (0..study.tariffs.len())
        .flat_map(|tariff| study.outcomes.iter().map(move |outcome| number(outcome.mean_price(tariff))));
    let (cheapest, dearest) = bounds(all);
    let (_, most) = bounds(energies().chain([1.0]));
    let mut chart = ChartBuilder::on(area)
        .caption(format!("Mean price of a kWh, {}", study.year), (FONT, 26))
        .margin(15)
        .x_label_area_size(50)
        .y_label_area_size(70)
        .build_cartesian_2d(0.0..most, cheapest..dearest)?;
    chart
        .configure_mesh()
        .x_desc("MWh in the year")
        .y_desc(format!("{} per kWh", study.currency))
        .label_style((FONT, 15))
        .light_line_style(RGBColor(240, 240, 240))
        .draw()?;
    for ((tariff, name), colour) in study.tariffs.iter().enumerate().zip(COLOURS.into_iter().cycle()) {
        let points = energies().zip(study.outcomes.iter().map(|outcome| number(outcome.mean_price(tariff))));
        chart
            .draw_series(points.map(|point| Circle::new(point, 4, colour.mix(0.75).filled())))?
            .label(name.as_str())
            .legend(move |(x, y)| Circle::new((x + 8, y), 5, colour.filled()));
    }
    chart.configure_series_labels().label_font((FONT, 16)).background_style(WHITE.mix(0.85)).border_style(BLACK).draw()
}

fn number(decimal: Decimal) -> f64 {
    decimal.to_f64().unwrap_or(0.0)
}

/// The smallest and largest value with a little room.
fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
    let room = ((high - low) / 20.0).max(0.01);
    (low - room, high + room)
}
