//! Prints the register map, which is kept as `docs/register-map.md`.

fn main() -> Result<(), std::fmt::Error> {
    let mut text = String::new();
    meter_protocol::acrel::fields::write_register_map(&mut text)?;
    print!("{text}");
    Ok(())
}
