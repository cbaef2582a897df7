package task

import (
	"errors"
	"fmt"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// taskKeys are the keys of a task file: a subset of those of lm-evaluation-harness, with the same meaning, and aliases, local, apply_chat_template,
// where, references, and of a metric as and labels, in place of its Python functions.
func (f *taskFile) taskKeys() []key {
	t := &f.task
	ignored := func(*yaml.Node) error { return nil } // of no meaning without examples in the prompt
	return []key{
		{"include", ignored}, // read already
		{"task", into(&t.Name)},
		{"aliases", one(&t.Aliases)},
		{"tag", ignored}, {"training_split", ignored}, {"fewshot_split", ignored}, {"fewshot_delimiter", ignored},
		{"should_decontaminate", ignored}, {"doc_to_decontamination_query", ignored},
		{"dataset_path", into(&t.DatasetPath)},
		{"dataset_name", into(&t.DatasetName)},
		{"validation_split", f.split(false)},
		{"test_split", f.split(true)},
		{"local", one(&t.Local)},
		{"apply_chat_template", into(&t.ApplyChatTemplate)},
		{"output_type", choice(&t.Output, MultipleChoice, GenerateUntil)},
		{"where", compiled(&t.Where)},
		{"doc_to_text", compiled(&t.Text)},
		{"doc_to_target", compiled(&t.Target)},
		{"doc_to_choice", compiled(&t.Choice)},
		{"target_delimiter", into(&t.Delimiter)},
		{"references", func(n *yaml.Node) error {
			return f.keys(n, "references: ", []key{{"correct", compiled(&t.Correct)}, {"incorrect", compiled(&t.Incorrect)}})
		}},
		{"num_fewshot", only("0")}, {"repeats", only("1")}, {"description", only("")},
		{"metric_list", f.metrics},
		{"generation_kwargs", f.generation},
		{"metadata", func(n *yaml.Node) error {
			return f.keys(n, "metadata: ", []key{{"version", func(n *yaml.Node) error { t.Version = n.Value; return nil }}})
		}},
	}
}

// split reads a split; test beats validation, wherever each is given.
func (f *taskFile) split(test bool) func(n *yaml.Node) error {
	return func(n *yaml.Node) error {
		if n.ShortTag() == "!!null" {
			return nil
		}
		if test || f.task.Split == "" || f.validation {
			f.task.Split, f.validation = n.Value, !test
		}
		return nil
	}
}

// choice reads one of a few texts.
func choice(to *string, known ...string) func(n *yaml.Node) error {
	return func(n *yaml.Node) error {
		for _, k := range known {
			if n.Value == k {
				*to = k
				return nil
			}
		}
		return fmt.Errorf("%q is not supported: want one of %q", n.Value, known)
	}
}

// only reads a key that has one supported value.
func only(value string) func(n *yaml.Node) error {
	return func(n *yaml.Node) error {
		if n.Value != value && n.ShortTag() != "!!null" {
			return fmt.Errorf("%s is not supported: want %q", n.Value, value)
		}
		return nil
	}
}

func (f *taskFile) metrics(n *yaml.Node) error {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		return errors.New("want a list such as [{metric: acc}]")
	}
	f.task.Metrics = nil
	for _, item := range n.Content {
		m := Metric{HigherIsBetter: true}
		err := f.keys(item, "metric_list: ", []key{
			{"metric", into(&m.Kind)}, {"as", into(&m.Name)}, {"aggregation", only("mean")}, {"higher_is_better", into(&m.HigherIsBetter)},
			{"labels", compiled(&m.Labels)},
		})
		if err != nil {
			return err
		}
		if m.Name == "" {
			m.Name = m.Kind
		}
		f.task.Metrics = append(f.task.Metrics, m)
	}
	return nil
}

// defaultTopK is what transformers samples from where nothing else is said.
const defaultTopK = 50

// generation reads how answers are written. Temperature, top_p and top_k count only where do_sample is true.
func (f *taskFile) generation(n *yaml.Node) error {
	g := Generation{Until: []string{"\n\n"}, MaxTokens: 256}
	sample, temperature, topP, topK := false, 1.0, 1.0, defaultTopK
	err := f.keys(n, "generation_kwargs: ", []key{
		{"until", one(&g.Until)}, {"max_gen_toks", into(&g.MaxTokens)}, {"do_sample", into(&sample)},
		{"temperature", into(&temperature)}, {"top_p", into(&topP)}, {"top_k", into(&topK)},
	})
	switch {
	case err != nil:
		return err
	case g.MaxTokens < 1:
		return errors.New("max_gen_toks: want 1 or more, got " + strconv.Itoa(g.MaxTokens))
	case sample && !(temperature > 0 && temperature < 1e6):
		return fmt.Errorf("temperature: want a number above 0 to sample with, got %g", temperature)
	case !(topP > 0 && topP <= 1):
		return fmt.Errorf("top_p: want a number above 0 and up to 1, got %g", topP)
	case topK < 0:
		return fmt.Errorf("top_k: want 0 (all tokens) or more, got %d", topK)
	}
	if sample {
		g.Temperature, g.TopP, g.TopK = temperature, topP, topK
	}
	f.task.Generation = g
	return nil
}
