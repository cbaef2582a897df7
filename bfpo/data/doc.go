// Package data reads what a recipe trains and evaluates on.
//
//	recipe ──Read──▶ Stage (sets of token ids) ──Open──▶ Inputs (micro-batches in the order of training)
//
// Rows come from package datasets, text becomes tokens in the recipe's TextFormat, tokenised rows are kept on disk for the next run, and
// package step lays them out. Everything that can be wrong with a model's files or with the data is found here, before a device is asked
// for memory. An error names the file and the row.
package data
