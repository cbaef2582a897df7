// Package redteam trains a chat model on judged pairs of its own answers to harmful questions, and measures the model
// before and after.
//
// With redteam_prompts it builds the set of pairs first: the model answers every question twice, a judge rates the
// answers, and two answers of which one is safer make a pair. Without redteam_prompts the recipe's dataset_mixer is the
// set. Questions are split into training and held-out ones by their text alone, so that all rows of one question are on
// the same side and the model is never measured on a question that it was trained on.
//
// The package is a client of bfpo/pipeline, which trains and evaluates, and of bfpo/measure and bfpo/evaluate, which
// generate and judge the answers. It refuses a recipe without a preference stage, questions without a judge, and a set
// that has no pair to train on. A question that gives no pair is counted by reason in summary.json.
//
// Files, from top to bottom: run.go runs all parts, stage.go reads the recipe, set.go holds the set of pairs, pairs.go
// makes one pair of two answers, and split.go decides which questions are held out.
package redteam
