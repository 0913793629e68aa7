//! Whether a run acts, or only prints what it would do.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Act,
    Plan { with_diff: bool },
}

impl Mode {
    pub fn is_plan(self) -> bool {
        self != Mode::Act
    }
}
