// Package compare puts evaluations side by side: their metrics with standard errors, the significance of the
// differences on the same documents, safety against helpfulness as in the paper's figure, and the models' answers
// beside each other.
//
// Open reads the evaluations of folders, Compare computes the Comparison with the first model, and Comparison.WriteTo
// and WritePage show it as a table and as a page.
//
// It reads the files of evaluations (results.json and samples_TASK.jsonl, see package evaluate) and runs no model.
// Models without a common task are refused. Evaluations on different documents or with different settings are compared
// on the documents that both have, with a note.
package compare
