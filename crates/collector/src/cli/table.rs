//! Tables and times for people who read a terminal.

use std::io::IsTerminal;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

pub(super) use crate::legible::{counted, escape, escape_json};

/// Columns are not cut below this, however narrow the terminal.
const NARROWEST: usize = 8;
const GAP: &str = "  ";

/// Which edge a column keeps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Text; may be cut at its end when the terminal is narrow.
    Left,
    /// Text that is never cut: ids, times.
    Whole,
    /// Numbers; never cut.
    Right,
}

/// Rows under a head, aligned.
#[derive(Clone, Debug)]
pub(super) struct Table {
    columns: Vec<(&'static str, Side)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(columns: &[(&'static str, Side)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; the cells are escaped here.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| escape(&cell)).collect());
    }

    /// The table without columns that are empty in every row, cut to `width` terminal columns where there
    /// is a width.
    pub(super) fn render(mut self, width: Option<usize>) -> String {
        self.drop_empty_columns();
        let mut widths: Vec<usize> = self.columns.iter().map(|(name, _)| name.width()).collect();
        for row in &self.rows {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = cell.width().max(*widest);
            }
        }
        if let Some(width) = width {
            self.narrow(&mut widths, width);
        }
        let head = self.columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        let mut text = String::new();
        for row in std::iter::once(&head).chain(&self.rows) {
            let mut line = String::new();
            for ((cell, &width), (_, side)) in row.iter().zip(&widths).zip(&self.columns) {
                let cell = cut(cell, width);
                let blank = " ".repeat(width.saturating_sub(cell.width()));
                let (before, after) = if *side == Side::Right { (blank.as_str(), "") } else { ("", blank.as_str()) };
                line.extend([before, cell.as_str(), after, GAP]);
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    fn drop_empty_columns(&mut self) {
        if self.rows.is_empty() {
            return;
        }
        for column in (0..self.columns.len()).rev() {
            let is_empty = |row: &Vec<String>| row.get(column).is_none_or(String::is_empty);
            if self.rows.iter().all(is_empty) {
                self.columns.remove(column);
                self.rows.iter_mut().filter(|row| column < row.len()).for_each(|row| drop(row.remove(column)));
            }
        }
    }

    /// Takes from the widest text columns until the table fits or none can give more.
    fn narrow(&self, widths: &mut [usize], width: usize) {
        let gaps = GAP.len() * widths.len().saturating_sub(1);
        let mut over = (widths.iter().sum::<usize>() + gaps).saturating_sub(width);
        while over > 0 {
            let sides = self.columns.iter().map(|(_, side)| *side);
            let widest = widths.iter_mut().zip(sides).filter(|(_, side)| *side == Side::Left).map(|(w, _)| w).max();
            match widest {
                Some(widest) if *widest > NARROWEST => *widest -= 1,
                _ => return,
            }
            over -= 1;
        }
    }
}

/// `text` in at most `width` terminal columns; what was cut shows as `…`.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 1;
    for char in text.chars() {
        used += char.width().unwrap_or(0);
        if used > width {
            break;
        }
        kept.push(char);
    }
    kept.push('…');
    kept
}

/// Columns of the terminal that standard output is, if it is one.
pub(super) fn terminal_width() -> Option<usize> {
    let out = std::io::stdout();
    if !out.is_terminal() {
        return None;
    }
    rustix::termios::tcgetwinsize(&out).ok().map(|size| usize::from(size.ws_col)).filter(|&columns| columns > 0)
}

/// A time of the API, to the millisecond, UTC: `2026-01-31 12:00:00.123`.
pub(super) fn time(rfc3339: &str) -> String {
    let text: String = rfc3339.chars().take(23).collect();
    text.replacen('T', " ", 1)
}

/// Microseconds as milliseconds with one decimal.
pub(super) fn millis(micros: u64) -> String {
    format!("{}.{}", micros / 1000, micros % 1000 / 100)
}

/// Milliseconds as a length of time in at most two units.
pub(super) fn span(millis: u64) -> String {
    let seconds = millis / 1000;
    match seconds {
        0 => format!("{millis}ms"),
        1..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Bytes in the largest unit that leaves a number of at least 1.
pub(super) fn bytes(count: u64) -> String {
    match count {
        0..1024 => format!("{count}"),
        1024..1_048_576 => format!("{:.1}k", count as f64 / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.1}m", count as f64 / 1_048_576.0),
        _ => format!("{:.1}g", count as f64 / 1_073_741_824.0),
    }
}
