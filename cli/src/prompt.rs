//! Questions to a person. Without a terminal nothing is ever asked: the command says at once what
//! would have been needed.

use std::{
    cell::RefCell,
    io::{self, BufRead, BufReader, IsTerminal as _, Write},
};

use crate::{error::CliError, output::sanitize};

/// Longest answer that is read.
const MAX_ANSWER: u64 = 1024;

/// Who can be asked.
pub struct Prompt {
    interactive: bool,
    notes: bool,
    json: bool,
    input: RefCell<Box<dyn BufRead>>,
    output: RefCell<Box<dyn Write>>,
}

impl Prompt {
    /// The person at the terminal, if there is one: questions need both stdin and stderr. A program
    /// that reads errors as JSON gets them without notes between.
    pub fn terminal(json: bool) -> Self {
        let interactive = io::stdin().is_terminal() && io::stderr().is_terminal();
        Self {
            interactive,
            notes: interactive || !json,
            json: !interactive && json,
            input: RefCell::new(Box::new(BufReader::new(io::stdin()))),
            output: RefCell::new(Box::new(io::stderr())),
        }
    }

    /// Somebody who gives these answers, for tests; none if nobody is there.
    pub fn scripted(answers: Option<&str>) -> Self {
        Self {
            interactive: answers.is_some(),
            notes: true,
            json: false,
            input: RefCell::new(Box::new(io::Cursor::new(answers.unwrap_or_default().to_owned()))),
            output: RefCell::new(Box::new(io::sink())),
        }
    }

    /// True if somebody is there.
    pub fn is_interactive(&self) -> bool {
        self.interactive
    }

    /// Tells the person something beside the result.
    pub fn note(&self, text: &str) {
        if !self.notes {
            return;
        }
        // A note that cannot be shown is no reason to stop.
        let _ = writeln!(self.output.borrow_mut(), "{}", sanitize(text));
    }

    /// Tells whoever uses the result what it does not show itself: for programs that read stderr as JSON, in an object.
    pub fn notice(&self, text: &str) {
        let text = if self.json { serde_json::json!({ "notice": text }).to_string() } else { sanitize(text).into() };
        // One that cannot be shown is no reason to stop.
        let _ = writeln!(self.output.borrow_mut(), "{text}");
    }

    /// Tells the person what they cannot go on without, whatever the form of output.
    pub fn say(&self, text: &str) {
        let mut output = self.output.borrow_mut();
        for line in text.lines() {
            // Where it cannot be shown, waiting for the person ends by itself.
            let _ = writeln!(output, "{}", sanitize(line));
        }
        let _ = output.flush();
    }

    /// Asks a question whose answer is no unless somebody says yes; none if nobody is there.
    pub fn agrees(&self, question: &str) -> Result<Option<bool>, CliError> {
        if !self.interactive {
            return Ok(None);
        }
        let answer = self.ask(&format!("{question} [y/N] "))?;
        Ok(Some(answer.eq_ignore_ascii_case("y") || answer.eq_ignore_ascii_case("yes")))
    }

    /// Asks before a write. Yes is `y` or `yes`; for much money, the amount itself. `preview` if the command has a
    /// --dry-run, which is then named where nobody is there to ask.
    pub fn confirm(&self, summary: &str, typed: Option<&str>, preview: bool) -> Result<(), CliError> {
        if !self.interactive {
            let what = summary.trim_end_matches('?');
            let or = if preview { ", or --dry-run to see what would happen" } else { "" };
            return Err(CliError::usage(format!("{what}: there is no terminal to ask at"))
                .hint(format!("Give --yes to go on without a question{or}. Nothing was sent.")));
        }
        let question = match typed {
            Some(amount) => format!("{summary}\nThis is above confirm_above. Type the amount ({amount}) to go on: "),
            None => format!("{summary} [y/N] "),
        };
        let answer = self.ask(&question)?;
        let yes = match typed {
            Some(amount) => answer == amount,
            None => answer.eq_ignore_ascii_case("y") || answer.eq_ignore_ascii_case("yes"),
        };
        if yes { Ok(()) } else { Err(CliError::new("declined", "declined: nothing was sent")) }
    }

    fn ask(&self, question: &str) -> Result<String, CliError> {
        let fault = |e: io::Error| CliError::usage(format!("cannot ask: {e}"));
        let mut output = self.output.borrow_mut();
        let shown: Vec<_> = question.lines().map(sanitize).collect();
        write!(output, "{}", shown.join("\n")).and_then(|()| output.flush()).map_err(fault)?;
        let mut answer = String::new();
        let mut input = self.input.borrow_mut();
        io::Read::take(&mut *input, MAX_ANSWER).read_line(&mut answer).map_err(fault)?;
        if answer.is_empty() {
            // The end of input leaves the cursor behind the question.
            let _ = writeln!(output);
        }
        Ok(answer.trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(answers: Option<&str>, typed: Option<&str>) -> u8 {
        Prompt::scripted(answers)
            .confirm("Transfer 10.50 EUR from w_1 to w_2?", typed, true)
            .map_or_else(|e| e.exit, |()| 0)
    }

    #[test]
    fn the_default_answer_is_no() {
        for (answer, code) in [("y\n", 0), ("YES\n", 0), ("\n", 10), ("n\n", 10), ("", 10), ("yy\n", 10)] {
            assert_eq!(exit(Some(answer), None), code, "{answer:?}");
        }
    }

    #[test]
    fn much_money_asks_for_the_amount_itself() {
        for (answer, code) in [("10.50\n", 0), ("y\n", 10), ("10.5\n", 10), ("", 10)] {
            assert_eq!(exit(Some(answer), Some("10.50")), code, "{answer:?}");
        }
    }

    #[test]
    fn without_a_terminal_nothing_is_asked() {
        for preview in [true, false] {
            let error = Prompt::scripted(None).confirm("Freeze w_1?", None, preview).unwrap_err();
            assert_eq!(error.exit, 2);
            assert!(error.hint.contains("--yes"));
            assert_eq!(error.hint.contains("--dry-run"), preview, "{}", error.hint);
        }
    }
}
