//! Power factor of a billing period.

use crate::bill::Reactive;
use crate::running::energy::MAX_ENERGY;
use crate::usage::UsageError;

/// Power factor in hundredths, rounded half up; none where nothing was used.
///
/// kWh ÷ √(kWh² + kvarh²) with kvarh = |forward| + |reverse|, compared in whole numbers: the largest `p` with
/// `p - ½ ≤ 100 × power factor`.
pub(crate) fn of_energy(micro_kwh: i64, reactive: Reactive) -> Result<Option<u8>, UsageError> {
    let magnitude = |energy: crate::exact::Energy| energy.micro_kwh().unsigned_abs();
    let kvarh = magnitude(reactive.forward_kvarh).saturating_add(magnitude(reactive.reverse_kvarh));
    if kvarh > MAX_ENERGY.unsigned_abs() {
        return Err(UsageError::TooMuchEnergy);
    }
    let (active, reactive) = (u128::from(micro_kwh.unsigned_abs()), u128::from(kvarh));
    if active == 0 && reactive == 0 {
        return Ok(None);
    }
    // At most 2 × 10³⁰ × 199² on the left and (200 × 10¹⁵)² on the right.
    let square = |value: u128| value.saturating_mul(value);
    let apparent = square(active).saturating_add(square(reactive));
    let most = square(active.saturating_mul(200));
    let reaches = |hundredths: &u8| {
        let odd = u128::from(*hundredths).saturating_mul(2).saturating_sub(1);
        square(odd).saturating_mul(apparent) <= most
    };
    Ok(Some((1..=100).rev().find(reaches).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exact::Energy;

    fn of(kwh: i64, forward: i64, reverse: i64) -> Option<u8> {
        let energy = |kwh| Energy::from_kwh(kwh).unwrap();
        let reactive = Reactive { forward_kvarh: energy(forward), reverse_kvarh: energy(reverse) };
        of_energy(energy(kwh).micro_kwh(), reactive).unwrap()
    }

    #[test]
    fn rounds_half_up_to_hundredths() {
        assert_eq!(of(263_595, 61_680, 0), Some(97));
        assert_eq!(of(3, 4, 0), Some(60));
        assert_eq!(of(3, 2, -2), Some(60), "reverse counts by its magnitude");
        assert_eq!(of(1, 0, 0), Some(100));
        assert_eq!(of(0, 1, 0), Some(0));
        assert_eq!(of(0, 0, 0), None);
        // 7/25 = 0.28 exactly, 33/65 = 0.5077
        assert_eq!(of(7, 24, 0), Some(28));
        assert_eq!(of(33, 56, 0), Some(51));
    }
}
