// Package data reads the sets of rows that a recipe trains and evaluates on.
//
//	recipe ──Read──▶ Sets (rows of token ids) ──Open──▶ Inputs (batch shapes, and streams of micro-batches)
//
// Rows come from package datasets, the recipe's text format turns them into tokens, and tokenised rows are kept on disk
// for the next run. Package step lays them out in batches. Everything that can be wrong with a model's files or with
// the data is found here, before any memory of a device is used. Errors name the file and the row.
package data
