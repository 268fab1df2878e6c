//! Looking again every second: in place on a terminal, one look after the other elsewhere.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use console::{Term, truncate_str};

use crate::cli::show;
use crate::error::{Error, Result};
use crate::shutdown::Shutdown;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// What a look has found.
pub(super) struct Look {
    /// The lines to show.
    pub lines: Vec<String>,
    /// The exit code, if there is nothing more to watch.
    pub over: Option<ExitCode>,
}

/// Shows what `look` finds until it is over; a signal ends it with `stopped`. While the task
/// database can't be reached, it says so and goes on.
///
/// # Errors
/// Those of `look` that do not pass, and when standard output is gone.
pub(super) async fn watch(
    json: bool,
    stopped: ExitCode,
    mut look: impl AsyncFnMut() -> Result<Look>,
) -> Result<ExitCode> {
    let signals = Shutdown::listen(true)?;
    let mut screen = Screen { in_place: !json && Term::stdout().is_term(), json, shown: false };
    loop {
        let found = tokio::select! {
            biased;
            () = signals.drain.cancelled() => return Ok(stopped),
            found = look() => found,
        };
        match found {
            Ok(found) => {
                screen.show(&found.lines)?;
                if let Some(code) = found.over {
                    return Ok(code);
                }
            }
            Err(error) if error.is_transient() => show::notice(&format!("looking again: {error}")),
            Err(error) => return Err(error),
        }
        tokio::select! {
            biased;
            () = signals.drain.cancelled() => return Ok(stopped),
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

struct Screen {
    in_place: bool,
    json: bool,
    shown: bool,
}

impl Screen {
    fn show(&mut self, lines: &[String]) -> Result<()> {
        if self.in_place {
            let (height, width) = Term::stdout().size();
            return write(&frame(lines, height.into(), width.into(), !self.shown)).inspect(|()| {
                self.shown = true;
            });
        }
        let mut text = String::new();
        if self.shown && !self.json {
            text.push('\n');
        }
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
        self.shown = true;
        write(&text)
    }
}

fn write(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Error::usage("can't write to standard output").caused_by(error))
}

/// A screenful in one piece, so that it does not flicker: from the upper left corner, each line
/// cleared to its end, and everything below. One line stays free for the cursor.
fn frame(lines: &[String], height: usize, width: usize, first: bool) -> String {
    let room = height.saturating_sub(1).max(1);
    let shown = if lines.len() > room { room - 1 } else { lines.len() };
    let mut text = String::from(if first { "\x1b[2J\x1b[H" } else { "\x1b[H" });
    let hidden = lines.len() - shown;
    let more = (hidden > 0).then(|| format!("… {hidden} more lines"));
    for line in lines[..shown].iter().chain(&more) {
        text.push_str(&truncate_str(line, width, "…"));
        text.push_str("\x1b[K\n");
    }
    text.push_str("\x1b[J");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_fits_the_screen() {
        let lines: Vec<_> = (0..50).map(|n| format!("a line of some length, {n}")).collect();
        let text = frame(&lines, 10, 12, false);
        assert_eq!(text.matches('\n').count(), 9);
        assert!(text.contains("a line of s…\x1b[K\n"), "{text}");
        assert!(text.contains("… 42 more l…") || text.contains("… 42 more"), "{text}");
        let text = frame(&lines[..2], 10, 80, true);
        assert_eq!(text.matches('\n').count(), 2);
        assert!(text.starts_with("\x1b[2J") && text.ends_with("\x1b[J"));
    }
}
