// Package gate decides whether one model may take the place of another.
//
// Both models are measured on the same pairs, prompts and tasks. A measure fails if the new model is worse by more than
// is tolerated, and if that is significant in the paired test of package report. The measures are of five kinds:
//
//	harm          of pairs with one safe answer, the share where the safe one is likelier
//	helpfulness   of pairs with two safe answers, the share where the better one is likelier
//	over-refusal  of harmless prompts, the share that the model refuses
//	fluency       log-probability per token of good answers; repetition and ends of generated answers
//	capability    metrics of evaluation tasks
package gate
