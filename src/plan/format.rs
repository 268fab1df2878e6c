//! In which form rows travel: the best one that both ends speak.

use super::matched::Matched;
use super::{Planner, wish};
use crate::batch::WireFormat;
use crate::error::Result;
use crate::plugin::ColumnPair;
use crate::schema::Schema;
use crate::task::{Consistency, Mode};

impl Planner<'_> {
    pub(super) async fn format(&self, matched: &Matched) -> Result<WireFormat> {
        let Matched { source, target, pairs, split, .. } = matched;
        let column_pairs: Vec<_> = pairs
            .iter()
            .map(|pair| ColumnPair {
                from: &source.columns[pair.source],
                to: &target.columns[pair.target],
            })
            .collect();
        let accepted = self.writer.accepts(&column_pairs);
        for format in self.reader.offers(&column_pairs) {
            let usable = match format {
                // One statement for a whole table would show no movement for too long.
                WireFormat::ServerSide => !split.is_empty() && self.may_stay_inside(source).await?,
                format => {
                    let params = &self.task.params;
                    (params.max_rows_per_second.is_none() || format.is_counted())
                        && (params.max_bytes_per_second.is_none() || format.can_be_cut())
                }
            };
            if usable && accepted.contains(&format) {
                return Ok(format);
            }
        }
        Ok(WireFormat::Canonical)
    }

    /// Whether the target's server may copy the rows by itself: not where the run has to see them go
    /// by, nor where a condition could mean something else to another session.
    async fn may_stay_inside(&self, source: &Schema) -> Result<bool> {
        let params = &self.task.params;
        if wish::by_key(params.write_mode).needs_stage() {
            return Ok(false);
        }
        let is_limited =
            params.max_rows_per_second.is_some() || params.max_bytes_per_second.is_some();
        let has_filter = params.filter.as_ref().is_some_and(|text| !text.trim().is_empty())
            || self.task.mode == Mode::Cursor;
        // The session that writes does not see the readers' snapshot.
        let has_snapshot = params.consistency == Consistency::Snapshot;
        if !self.same_server || has_snapshot || is_limited || has_filter {
            return Ok(false);
        }
        match self.reader.inside(&source.table).await? {
            Some(inside) => self.writer.can_read(&inside).await,
            None => Ok(false),
        }
    }
}
