//! A map as a table to read.

use super::field::{Access, FieldInfo, Table};
use core::fmt;

/// Writes fields as rows of a Markdown table, with its head.
///
/// # Errors
/// Those of `out`.
pub fn write_markdown(out: &mut dyn fmt::Write, fields: &[FieldInfo]) -> fmt::Result {
    out.write_str(
        "| Address | Registers | Kind | Scale | Unit | Access | Group | Name | Meaning | Source | Confidence |\n",
    )?;
    out.write_str("|---|---|---|---|---|---|---|---|---|---|---|\n")?;
    for field in fields {
        let space = match field.table {
            Table::Holding => "",
            Table::Input => " input",
            Table::Vendor => " 20H",
        };
        write!(out, "| {:04X}H{space} | {} | {} | ", field.address, field.registers(), field.kind.name())?;
        match field.scale {
            Some(0) => out.write_str("1")?,
            Some(power) => write!(out, "10^{power}")?,
            None => out.write_str("?")?,
        }
        let access = match field.access {
            Access::Read => "R",
            Access::ReadWrite => "RW",
            Access::Guarded => "R, guarded W",
        };
        let hidden = if field.hidden { ", hidden" } else { "" };
        write!(out, " | {} | {access}{hidden} | ", field.unit)?;
        if let Some(group) = field.group {
            write!(out, "{}", group.0)?;
        }
        let FieldInfo { name, about, source, confidence, .. } = field;
        writeln!(out, " | {name} | {about} | {source} | {confidence} |")?;
    }
    Ok(())
}
