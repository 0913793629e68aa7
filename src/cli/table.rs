//! A text table with aligned columns, for standard output.

use std::fmt;

use crate::event::visible::visible;

#[derive(Default)]
pub struct TextTable(Vec<Vec<String>>);

impl TextTable {
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.0.push(cells.into_iter().map(|cell| visible(&cell)).collect());
    }
}

impl fmt::Display for TextTable {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let n_columns = self.0.iter().map(Vec::len).max().unwrap_or(0);
        let width = |n: usize| self.0.iter().filter_map(|row| row.get(n)).map(|c| c.chars().count()).max();
        let widths: Vec<usize> = (0..n_columns).map(|n| width(n).unwrap_or(0)).collect();
        for row in &self.0 {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(&format!("{cell:width$}  "));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_have_no_trailing_blanks() {
        let mut table = TextTable::default();
        table.row(["a", "long", ""].map(str::to_owned));
        table.row(["bcd", "é", "x"].map(str::to_owned));
        assert_eq!(table.to_string(), "a    long\nbcd  é     x\n");
    }
}
