// Package metric computes the measures of evaluation tasks: of multiple-choice documents from the log-likelihoods
// of their choices, and of generated answers from their similarity (BLEU, ROUGE) to reference answers.
//
// The numbers equal those of lm-evaluation-harness with sacrebleu and rouge_score. The functions are pure: they read
// no files and import only the standard library. Metrics that a judge computes are not among them.
package metric
