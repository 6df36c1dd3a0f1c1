//! The rows of a table, each stored once, and their values, each stored once, as JSON text that
//! can be spliced into an event.

use std::fmt;

use hashbrown::HashMap;

use crate::tables::ColumnId;

/// A row. Never the highest bit: the trie uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RowId(u32);

/// A value; 0 is the empty one.
type ValueId = u32;

impl RowId {
    /// As the trie stores it.
    pub(crate) fn number(self) -> u32 {
        self.0
    }

    /// Back from the trie.
    pub(crate) fn from_number(number: u32) -> Self {
        Self(number)
    }
}

/// All rows.
pub(crate) struct Rows {
    columns: usize,
    /// `columns` values for each row.
    cells: Box<[ValueId]>,
    /// The JSON texts, one after the other.
    text: Box<[u8]>,
    /// Where the text of each value ends; it starts where the one before ends.
    ends: Box<[u32]>,
}

impl Rows {
    /// The JSON text in that column; `None` where the file has nothing.
    pub(crate) fn value(&self, row: RowId, column: ColumnId) -> Option<&[u8]> {
        if column.0 >= self.columns {
            return None;
        }
        let value = self.cells[row.0 as usize * self.columns + column.0] as usize;
        let start = self.ends[value.checked_sub(1)?] as usize;
        Some(&self.text[start..self.ends[value] as usize])
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.cells.len() / self.columns
    }

    /// Memory in bytes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.cells) + self.text.len() + size_of_val(&*self.ends)
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows")
            .field("rows", &self.len())
            .finish_non_exhaustive()
    }
}

/// Collects rows while files are read.
#[derive(Debug)]
pub(crate) struct RowsBuilder {
    columns: usize,
    cells: Vec<ValueId>,
    text: Vec<u8>,
    ends: Vec<u32>,
    values: HashMap<Box<[u8]>, ValueId>,
    rows: HashMap<Box<[ValueId]>, RowId>,
    scratch: Vec<u8>,
    row: Vec<ValueId>,
}

impl RowsBuilder {
    /// For rows of that many columns.
    pub(crate) fn new(columns: usize) -> Self {
        Self {
            columns,
            cells: Vec::new(),
            text: Vec::new(),
            ends: vec![0],
            values: HashMap::new(),
            rows: HashMap::new(),
            scratch: Vec::new(),
            row: Vec::with_capacity(columns),
        }
    }

    /// Adds a text to the row being made; the empty text is no value.
    pub(crate) fn push_text(&mut self, text: &str) {
        if text.is_empty() {
            self.row.push(0);
            return;
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        serde_json::to_writer(&mut scratch, text).expect("writing to memory cannot fail");
        self.push_json(&scratch);
        self.scratch = scratch;
    }

    /// Adds a value that is JSON already.
    pub(crate) fn push_json(&mut self, json: &[u8]) {
        let id = match self.values.get(json) {
            Some(&id) => id,
            None => self.new_value(json),
        };
        self.row.push(id);
    }

    /// Adds "nothing here".
    pub(crate) fn push_none(&mut self) {
        self.row.push(0);
    }

    /// Ends the row; the same values give the same row.
    pub(crate) fn finish_row(&mut self) -> RowId {
        debug_assert_eq!(
            self.row.len(),
            self.columns,
            "a row is as wide as the table"
        );
        let id = match self.rows.get(&*self.row) {
            Some(&id) => id,
            None => {
                let id = RowId(position(self.cells.len() / self.columns));
                self.cells.extend_from_slice(&self.row);
                self.rows.insert(self.row.clone().into(), id);
                id
            }
        };
        self.row.clear();
        id
    }

    /// Drops what is only needed to collect.
    pub(crate) fn build(self) -> Rows {
        Rows {
            columns: self.columns,
            cells: self.cells.into(),
            text: self.text.into(),
            ends: self.ends.into(),
        }
    }

    fn new_value(&mut self, json: &[u8]) -> ValueId {
        let id = position(self.ends.len());
        self.text.extend_from_slice(json);
        self.ends.push(position(self.text.len()));
        self.values.insert(json.into(), id);
        id
    }
}

/// Files are at most 1 GiB, so that rows, values and text stay below 2^31; several files together
/// that do not would need more memory than any machine that runs this.
fn position(count: usize) -> u32 {
    u32::try_from(count)
        .ok()
        .filter(|&position| position < 1 << 31)
        .expect("a table below 2 GiB")
}
