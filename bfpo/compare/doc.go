// Package compare puts evaluations side by side: their metrics with standard errors, the significance of the
// differences on the same documents, safety against helpfulness as in the paper's figure, and the models' answers
// beside each other.
//
// It reads the files of evaluations (results.json and samples_TASK.jsonl, see package evaluate) and runs no model.
// Models that have no task in common are refused; different documents or settings are compared as far as possible,
// with a note.
package compare
