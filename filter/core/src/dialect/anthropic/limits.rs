//! Rate limits: <https://platform.claude.com/docs/en/api/rate-limits#response-headers>.
//!
//! Anthropic tells the time of the reset, OpenAI how long it takes. Where the tokens have no limit of their own, the input's
//! is the one that is met first.

use alloc::{borrow::Cow, format, string::String, vec::Vec};

use crate::{headers::Headers, step::Name};

/// The kinds: OpenAI's names of limit, remaining and reset, and Anthropic's of the same, in order of preference.
const KINDS: &[([&str; 3], &[[&str; 3]])] = &[
    (
        ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"],
        &[[
            "anthropic-ratelimit-requests-limit",
            "anthropic-ratelimit-requests-remaining",
            "anthropic-ratelimit-requests-reset",
        ]],
    ),
    (
        ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"],
        &[
            [
                "anthropic-ratelimit-tokens-limit",
                "anthropic-ratelimit-tokens-remaining",
                "anthropic-ratelimit-tokens-reset",
            ],
            [
                "anthropic-ratelimit-input-tokens-limit",
                "anthropic-ratelimit-input-tokens-remaining",
                "anthropic-ratelimit-input-tokens-reset",
            ],
        ],
    ),
];

/// The limits in OpenAI's headers; `now` is in seconds since the epoch.
pub(super) fn read(headers: Headers<'_>, now: u64) -> Vec<(Name, String)> {
    let mut read = Vec::new();
    for (names, sources) in KINDS {
        let told = |source: &&[&'static str; 3]| headers.get(source[0]).is_some();
        let Some([limit, remaining, reset]) = sources.iter().find(told) else { continue };
        let number = |name: &str| headers.text(name).and_then(|text| text.trim().parse::<u64>().ok());
        let values = [
            number(limit).map(|limit| format!("{limit}")),
            number(remaining).map(|remaining| format!("{remaining}")),
            headers.text(reset).and_then(epoch_seconds).map(|at| duration(at.saturating_sub(now))),
        ];
        read.extend(
            names.iter().zip(values).filter_map(|(name, value)| value.map(|value| (Cow::Borrowed(*name), value))),
        );
    }
    read
}

/// A duration as OpenAI writes it: `1h0m5s`, `6m0s`, `20s`.
fn duration(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        (_, _) => format!("{hours}h{minutes}m{rest}s"),
    }
}

/// Seconds since the epoch of a time of RFC 3339; fractions round up.
fn epoch_seconds(time: &str) -> Option<u64> {
    let field = |from: usize, to: usize| time.get(from..to)?.parse::<i64>().ok();
    let separators = [(4_usize, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":")];
    if separators.iter().any(|(at, separator)| time.get(*at..at.saturating_add(1)) != Some(separator)) {
        return None;
    }
    let days = days_since_epoch(field(0, 4)?, field(5, 7)?, field(8, 10)?)?;
    let (hours, minutes, seconds) = (field(11, 13)?, field(14, 16)?, field(17, 19)?);
    let rest = time.get(19..)?;
    let zone = rest.trim_start_matches(|character: char| character == '.' || character.is_ascii_digit());
    let fraction = i64::from(zone.len() < rest.len());
    let offset = match zone.as_bytes() {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let ahead = zone.get(1..3)?.parse::<i64>().ok()?.checked_mul(60)?;
            let ahead = ahead.checked_add(zone.get(4..6)?.parse().ok()?)?.checked_mul(60)?;
            if *sign == b'+' { ahead } else { ahead.checked_neg()? }
        }
        _ => return None,
    };
    let of_day = hours.checked_mul(3600)?.checked_add(minutes.checked_mul(60)?)?.checked_add(seconds)?;
    let all = days.checked_mul(86_400)?.checked_add(of_day)?.checked_sub(offset)?.checked_add(fraction)?;
    u64::try_from(all).ok()
}

/// Days from 1970-01-01 to a day of the Gregorian calendar: years that start in March end with the leap day.
fn days_since_epoch(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (year, month) =
        if month < 3 { (year.checked_sub(1)?, month.checked_add(9)?) } else { (year, month.checked_sub(3)?) };
    let leap_days = year.checked_div(4)?.checked_sub(year.checked_div(100)?)?.checked_add(year.checked_div(400)?)?;
    let of_year = month.checked_mul(153)?.checked_add(2)?.checked_div(5)?.checked_add(day)?.checked_sub(1)?;
    year.checked_mul(365)?.checked_add(leap_days)?.checked_add(of_year)?.checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headers::HeaderMap;

    #[test]
    fn times_are_read() {
        for (time, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2026-01-23T02:52:15Z", Some(1_769_136_735)),
            ("2024-02-29T23:59:59Z", Some(1_709_251_199)),
            ("2026-01-23T04:52:15+02:00", Some(1_769_136_735)),
            ("2026-01-23T02:52:14.2Z", Some(1_769_136_735)),
            ("2026-01-23 02:52:15Z", None),
            ("2026-13-23T02:52:15Z", None),
            ("soon", None),
        ] {
            assert_eq!(epoch_seconds(time), expected, "{time}");
        }
    }

    #[test]
    fn durations_are_written_as_openai_writes_them() {
        for (seconds, expected) in [(0, "0s"), (59, "59s"), (360, "6m0s"), (3605, "1h0m5s")] {
            assert_eq!(duration(seconds), expected);
        }
    }

    #[test]
    fn limits_are_told_in_openai_s_names() {
        let map = HeaderMap::from_iter([
            ("anthropic-ratelimit-requests-limit", "4000"),
            ("anthropic-ratelimit-requests-remaining", "3999"),
            ("anthropic-ratelimit-requests-reset", "2026-01-23T02:52:15Z"),
            ("anthropic-ratelimit-input-tokens-limit", "2000000"),
            ("anthropic-ratelimit-input-tokens-remaining", "soon"),
            ("anthropic-ratelimit-input-tokens-reset", "2026-01-23T02:52:15Z"),
        ]);
        let told = read(map.headers(), 1_769_136_645);
        let told: Vec<(&str, &str)> = told.iter().map(|(name, value)| (name.as_ref(), value.as_str())).collect();
        let expected = [
            ("x-ratelimit-limit-requests", "4000"),
            ("x-ratelimit-remaining-requests", "3999"),
            ("x-ratelimit-reset-requests", "1m30s"),
            ("x-ratelimit-limit-tokens", "2000000"),
            ("x-ratelimit-reset-tokens", "1m30s"),
        ];
        assert_eq!(told, expected);
        assert!(read(HeaderMap::default().headers(), 0).is_empty());
    }
}
