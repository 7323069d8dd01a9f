//! Durations (`30s`) and points in time (RFC 3339), as text.
//!
//! No date crate: the file needs whole seconds since the epoch and nothing of calendars, zones or clocks. The civil calendar
//! is the proleptic Gregorian one; a leap second counts as the second before it.

use alloc::{borrow::ToOwned, format, string::String};
use core::time::Duration;

use super::form::{Bare, Parsed, whole};

const SECONDS_PER_DAY: u64 = 86_400;
/// Longer is a slip of the pen, and near the edge of what Envoy accepts.
const LONGEST: Duration = Duration::from_secs(366 * SECONDS_PER_DAY);
/// The greatest first.
const UNITS: [(&str, u64); 5] =
    [("d", SECONDS_PER_DAY * 1_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

const DURATION: &str = "a duration such as 250ms, 30s, 5m, 1h or 1d";

/// A duration longer than nothing: Envoy reads a time-out of `0s` as no time-out.
pub(super) const TIMEOUT: Parsed<Duration> = Parsed {
    what: DURATION,
    bare: Bare::Nothing,
    secret: false,
    parse: |text| match parse_duration(text) {
        Ok(Duration::ZERO) => Err("is no time at all"),
        other => other,
    },
    print: print_duration,
    stand_in: || LONGEST,
};

/// A duration that may be nothing.
pub(super) const PAUSE: Parsed<Duration> =
    Parsed { what: DURATION, parse: parse_duration, stand_in: || Duration::ZERO, ..TIMEOUT };

/// A day, or a point in time: seconds since the epoch.
pub(super) const DATE: Parsed<u64> = Parsed {
    what: "a date such as 2024-10-22",
    parse: |text| parse_date(text).ok_or("is not a date after 1970"),
    print: |time| {
        let time = print_time(*time);
        time.strip_suffix("T00:00:00Z").map_or_else(|| time.clone(), ToOwned::to_owned)
    },
    ..TIME
};

/// A point in time, seconds since the epoch.
pub(super) const TIME: Parsed<u64> = Parsed {
    what: "a time such as 2027-01-01T00:00:00Z",
    bare: Bare::Nothing,
    secret: false,
    parse: |text| parse_time(text).ok_or("is not a time of RFC 3339 after 1970"),
    print: |time| print_time(*time),
    stand_in: || 0,
};

/// A duration as the file writes it, up to a year.
///
/// # Errors
/// What is wrong with it, as the rest of the sentence "`…` …".
pub fn parse_duration(text: &str) -> Result<Duration, &'static str> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.strip_prefix(digits).unwrap_or_default();
    let amount = whole(digits).ok_or("is not a duration")?;
    if unit.is_empty() {
        return Err("has no unit");
    }
    let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit).ok_or("has an unknown unit")?;
    let duration = amount.checked_mul(*millis).map(Duration::from_millis);
    duration.filter(|duration| *duration <= LONGEST).ok_or("is longer than a year")
}

fn print_duration(duration: &Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let fitting = UNITS.iter().find(|(_, unit)| millis != 0 && millis.is_multiple_of(*unit));
    let (name, unit) = fitting.copied().unwrap_or(("s", 1_000));
    format!("{}{name}", millis.checked_div(unit).unwrap_or(0))
}

/// A day, or a point in time, as seconds since the epoch.
pub(crate) fn parse_date(text: &str) -> Option<u64> {
    if text.len() == 10 { parse_time(&[text, "T00:00:00Z"].concat()) } else { parse_time(text) }
}

fn parse_time(text: &str) -> Option<u64> {
    let number = |from: usize, to: usize| whole(text.get(from..to)?);
    let is = |at: usize, allowed: &[u8]| text.as_bytes().get(at).is_some_and(|byte| allowed.contains(byte));
    let separated = is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":");
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let civil = year >= 1970 && (1..=12).contains(&month) && day >= 1 && day <= days_of_month(year, month);
    if !(separated && civil && hour < 24 && minute < 60 && second <= 60) {
        return None;
    }
    let days = days_before(year, month).saturating_add(day.saturating_sub(1));
    let local =
        days.saturating_mul(SECONDS_PER_DAY).saturating_add(seconds(hour, minute)).saturating_add(second.min(59));

    let rest = text.get(19..)?;
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            (zone.len() < fraction.len()).then_some(zone)?
        }
        None => rest,
    };
    if matches!(zone, "Z" | "z") {
        return Some(local);
    }
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let offset = seconds(whole(hours).filter(|hours| *hours < 24)?, whole(minutes).filter(|minutes| *minutes < 60)?);
    match zone.as_bytes().first()? {
        b'+' => local.checked_sub(offset),
        b'-' => local.checked_add(offset),
        _ => None,
    }
}

/// A point in time, seconds since the epoch, as RFC 3339 has it.
fn print_time(time: u64) -> String {
    let (days, second) = (time / SECONDS_PER_DAY, time % SECONDS_PER_DAY);
    // 366 days a year never guesses too late a year.
    let mut year = (days / 366).saturating_add(1970);
    while days_before(year.saturating_add(1), 1) <= days {
        year = year.saturating_add(1);
    }
    let month = (1..=12).rev().find(|month| days_before(year, *month) <= days).unwrap_or(1);
    let day = days.saturating_sub(days_before(year, month)).saturating_add(1);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The same of milliseconds: the second by which that time has come.
pub(crate) fn print_millis(millis: u64) -> String {
    /// The last one of the year 9999: later ones have no text.
    const LAST_SECOND: u64 = 253_402_300_799;
    print_time(millis.div_ceil(1_000).min(LAST_SECOND))
}

/// The same, exactly.
pub(crate) fn print_exact(millis: u64) -> String {
    let seconds = print_millis(millis.saturating_sub(millis % 1_000));
    format!("{}.{:03}Z", seconds.trim_end_matches('Z'), millis % 1_000)
}

fn seconds(hours: u64, minutes: u64) -> u64 {
    hours.saturating_mul(3_600).saturating_add(minutes.saturating_mul(60))
}

/// Days from the epoch to the first of the month.
fn days_before(year: u64, month: u64) -> u64 {
    let leap_days = |year: u64| (year / 4).saturating_sub(year / 100).saturating_add(year / 400);
    let before = year.saturating_sub(1);
    let years = year.saturating_sub(1970).saturating_mul(365);
    let leaps = leap_days(before).saturating_sub(leap_days(1969));
    let months = (1..month).map(|month| days_of_month(year, month)).sum::<u64>();
    years.saturating_add(leaps).saturating_add(months)
}

fn days_of_month(year: u64, month: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, millis) in
            [("250ms", 250), ("30s", 30_000), ("5m", 300_000), ("1h", 3_600_000), ("1d", 86_400_000), ("0s", 0)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in
            ["", "s", "30", "30 s", "-1s", "+1s", "1.5s", "30sec", "30S", "1h30m", "99999999999999999999d", "367d"]
        {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_timeout_of_nothing_is_refused() {
        assert!((TIMEOUT.parse)("0ms").is_err());
    }

    #[test]
    fn times_are_read_with_their_zones() {
        for (text, time) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2026-01-01T00:00:00Z", 1_767_225_600),
            ("2027-01-01t00:00:00.999z", 1_798_761_600),
            ("2027-01-01T02:00:00+02:00", 1_798_761_600),
            ("2026-12-31 18:30:00-05:30", 1_798_761_600),
            ("2016-12-31T23:59:60Z", 1_483_228_799),
        ] {
            assert_eq!(parse_time(text), Some(time), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2027-01-01",
            "2027-01-01T00:00:00",
            "2027-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2027-13-01T00:00:00Z",
            "2027-00-01T00:00:00Z",
            "2027-01-00T00:00:00Z",
            "2027-01-01T24:00:00Z",
            "2027-01-01T00:60:00Z",
            "2027-01-01T00:00:00.Z",
            "2027-01-01T00:00:00+2:00",
            "2027-01-01T00:00:00+02:00x",
            "2027-01-01T00:00:00ä02:00",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+01:00",
            "+027-01-01T00:00:00Z",
            "2027-01-01T00:00:00ZZ",
        ] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_second_is_printed_as_it_is_read(time in 0..=253_402_300_799_u64) {
            prop_assert_eq!(parse_time(&print_time(time)), Some(time));
        }

        #[test]
        fn every_duration_is_printed_as_it_is_read(millis in 0..=31_622_400_000_u64) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&print_duration(&duration)), Ok(duration));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            let _ = parse_duration(&text);
            let _ = parse_time(&text);
        }
    }
}
