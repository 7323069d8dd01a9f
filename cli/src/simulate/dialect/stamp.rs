//! What makes an answer unlike every other: its time and its ids.

use crate::simulate::script::Random;

/// One answer's.
#[derive(Clone, Debug)]
pub(in crate::simulate) struct Stamp {
    /// Unix time in seconds.
    pub(in crate::simulate) created: u64,
    /// For ids.
    pub(in crate::simulate) random: Random,
}

impl Stamp {
    /// The time as RFC 3339 has it, without the zone.
    pub(super) fn date_time(&self) -> String {
        let (days, second) = (self.created / 86_400, self.created % 86_400);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let (year, month, day) = civil(days);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
    }
}

/// Year, month and day of a day since 1970-01-01, counted in years that begin in March and so end with the leap day.
#[expect(clippy::arithmetic_side_effects, reason = "unsigned, and each difference is of a number and a part of it")]
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days.min(1 << 32) + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month < 3), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let date_time = |created| Stamp { created, random: Random::new(0) }.date_time();
        assert_eq!(date_time(0), "1970-01-01T00:00:00");
        assert_eq!(date_time(951_782_399), "2000-02-28T23:59:59");
        assert_eq!(date_time(951_782_400), "2000-02-29T00:00:00");
        assert_eq!(date_time(1_767_225_600), "2026-01-01T00:00:00");
        assert_eq!(date_time(4_107_542_400), "2100-03-01T00:00:00");
        assert!(date_time(u64::MAX).len() > 19);
    }
}
