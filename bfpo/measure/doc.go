// Package measure loads a recipe's model and measures it: evaluation tasks, answers to prompts, and judges for both.
//
// Evaluate runs tasks into an output folder for bfpo eval; EvaluateWithJudge does the same for callers that hold a
// judge and own the folder (pipelines, evaluation during training, red teaming). EvaluateHeldOut scores held-out pairs
// and answers prompts; StoredHeldOut does so and keeps the result in a file; GenerateAnswers only answers.
// rowmeasure.go says what single pairs and answers tell. OpenJudge finds a judge by name: a service, or a classifier
// model on this machine. WriteTable prints the results.
//
// Package evaluate does the computing; this package connects it with recipes and models.
package measure
