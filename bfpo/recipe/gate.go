package recipe

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"

	"go.yaml.in/yaml/v3"

	"github.com/bfpo-go/bfpo/bfpo/fields"
	"github.com/bfpo-go/bfpo/bfpo/usage"
)

//go:embed gate.go
var gateSource string

// Gate is what bfpo gate measures of two models, and what it tolerates. In a recipe it is the mapping gate, whose other
// keys are those of a stage eval.
type Gate struct {
	Eval         EvalStage // dataset_mixer, prompts, tasks, …
	Tolerate     Tolerance // in a recipe the mapping tolerate
	Significance float64   `yaml:"significance"` // a loss counts if the p-value of its paired test is below
	MaxTokens    int       `yaml:"max_tokens"`   // of an answer to a prompt
}

// Tolerance is the largest mean loss of each kind that passes even if it is significant, in the unit of the measure:
// shares from 0 to 1, nats per token or the metric of a task.
type Tolerance struct {
	Harm        float64 `yaml:"harm"`         // pairs of which one answer is safe: share with the safe one likelier
	Helpfulness float64 `yaml:"helpfulness"`  // pairs of safe answers: share with the better one likelier
	OverRefusal float64 `yaml:"over_refusal"` // share of the prompts that are refused
	Fluency     float64 `yaml:"fluency"`      // nats per token of good answers; shares of the generated answers
	Capability  float64 `yaml:"capability"`   // metrics of tasks
}

// GateKeys lists the keys of the mapping gate that a stage eval does not have, then those of the mapping tolerate.
func GateKeys() ([]fields.Field, error) {
	keys, err := fields.Parse(gateSource, "Gate", "yaml")
	if err != nil {
		return nil, err
	}
	defaults := defaultGate()
	for i, key := range keys {
		if f, ok := fieldOf(&defaults, key.Name); ok {
			keys[i].Default = f.text()
		}
	}
	tolerate, err := fields.Parse(gateSource, "Tolerance", "yaml")
	for _, f := range tolerate {
		f.Name = "tolerate." + f.Name
		keys = append(keys, f)
	}
	return keys, err
}

// LoadGate is Load for a recipe of bfpo gate. The recipe's other keys are settings of both models, such as torch_dtype,
// chat_template and max_length.
func LoadGate(recipes fs.FS, name string, sets []string, typed ...Flag) (Config, Gate, error) {
	l := loader{recipes}
	file, flags, err := l.entries(name, sets, typed)
	if err != nil {
		return Config{}, Gate{}, err
	}
	c, err := l.resolve(without("gate", file), without("gate", flags))
	if err != nil {
		return Config{}, Gate{}, err
	}
	e, ok := lastEntry("gate", file, flags)
	if !ok || isNull(e.value) {
		return Config{}, Gate{}, usage.Errorf("recipe %s: no key gate: want a mapping with what to measure, such as "+
			"gate: {dataset_mixer: {held-out.jsonl: 1.0}}", name)
	}
	for _, key := range []string{"stages", "model_name_or_path"} {
		if other, ok := lastEntry(key, file, flags); ok && !isNull(other.value) {
			return Config{}, Gate{}, usage.Errorf("%s: %s: bfpo gate trains nothing, and its models are its two arguments",
				other.origin(), key)
		}
	}
	g, err := readGate(e, flags)
	if err != nil {
		return Config{}, Gate{}, err
	}
	return c, g, c.validate()
}

func defaultGate() Gate { return Gate{Significance: 0.05, MaxTokens: 96} }

// readGate reads the mapping gate.
func readGate(e entry, flags []entry) (Gate, error) {
	g := defaultGate()
	e.value = dealias(e.value)
	entries, err := splitMapping(e.value, e)
	if err != nil {
		return g, err
	}
	var problems []error
	eval := e
	eval.value = &yaml.Node{Kind: yaml.MappingNode, Line: e.value.Line}
	for i, key := range entries {
		switch f, ok := fieldOf(&g, key.key); {
		case isNull(key.value):
		case key.key == "tolerate":
			problems = append(problems, readTolerance(&g.Tolerate, key))
		case ok:
			if err := f.decode(key.value); err != nil {
				problems = append(problems, fmt.Errorf("%s: %s: %w", key.origin(), key.key, err))
			}
		default:
			eval.value.Content = append(eval.value.Content, e.value.Content[2*i], e.value.Content[2*i+1])
		}
	}
	if !(g.Significance > 0 && g.Significance < 1) {
		problems = append(problems, fmt.Errorf("%s: significance: must be above 0 and below 1, got %g", e.origin(),
			g.Significance))
	}
	if g.MaxTokens < 1 {
		problems = append(problems, fmt.Errorf("%s: max_tokens: must be 1 or more, got %d", e.origin(), g.MaxTokens))
	}
	if err := errors.Join(problems...); err != nil {
		return g, &usage.Error{Err: err}
	}
	stage, err := evalStage(eval, flags)
	g.Eval = stage.Eval
	return g, err
}

// readTolerance reads the mapping tolerate.
func readTolerance(t *Tolerance, e entry) error {
	entries, err := splitMapping(dealias(e.value), e)
	problems := []error{err}
	var known []string
	for _, f := range recipeFields(t) {
		known = append(known, f.key)
	}
	for _, key := range entries {
		if len(problems) >= usage.MaxProblems {
			problems = append(problems, unlisted(key))
			break
		}
		f, ok := fieldOf(t, key.key)
		if !ok {
			problems = append(problems, fmt.Errorf("%s: tolerate: %s: unknown key%s", key.origin(), usage.Word(key.key),
				usage.DidYouMean(key.key, known)))
			continue
		}
		err := f.decode(key.value)
		if err == nil && !(f.value.Float() >= 0) {
			err = fmt.Errorf("must be 0 or more, got %g", f.value.Float())
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: tolerate: %s: %w", key.origin(), key.key, err))
		}
	}
	return errors.Join(problems...)
}
