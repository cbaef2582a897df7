// Package study trains one model in several ways on the same rows and shows where each result stands between safety and
// helpfulness.
//
// Run trains every setting of a recipe's study with every seed, each from the same base model, and measures the base
// and all results on the same held-out pairs and prompts:
//
//	dir/runs/NAME-seed-N   the run of one setting and seed, as bfpo train leaves it
//	dir/measured           what each model makes of the held-out rows
//	dir/study.json         a Result: the metrics of every run, the frontier and the differences between settings
//	dir/study.html         the same with charts and answers side by side
//	dir/study.csv          the metrics, one line each
//	dir/rows.jsonl         the log-probabilities of every held-out pair, from which all tables can be made again
//	dir/answers.jsonl      the answers to the prompts
//
// A study that was stopped continues with the same call: finished runs and measurements are taken over if they still
// belong to the recipe, the model and the data. The log-probabilities of the reference model come from its cache on
// disk, so that only the first run with an order of rows computes them.
//
// metrics.go measures one run, frontier.go a setting over its seeds, and difference.go tests the differences between
// settings.
package study
