package recipe

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// stages reads the value of the key stages: a list of {kind: recipe} or {kind: {config: recipe, key: value, …}}. Keys
// in the list override that stage's recipe, which overrides the shared keys. A shared model applies to the first
// training stage only, because every later stage starts from the previous stage's model. A shared objective applies
// to preference stages only.
func (l loader) stages(list entry, shared, flags []entry) ([]Stage, error) {
	list.value = dealias(list.value)
	if list.value.Kind != yaml.SequenceNode || len(list.value.Content) == 0 {
		return nil, usage.Errorf("%s: stages: want a list such as [{sft: RECIPE}, {train: RECIPE}], got %s",
			list.originOf(list.value), describeNode(list.value))
	}
	var stages []Stage
	for _, item := range list.value.Content {
		item = dealias(item)
		if item.Kind != yaml.MappingNode || len(item.Content) != 2 {
			return nil, usage.Errorf("%s: stages: want one kind and its recipe, such as {sft: RECIPE}, got %s",
				list.originOf(item), describeNode(item))
		}
		e := list
		e.key, e.value, e.line = item.Content[0].Value, dealias(item.Content[1]), item.Line
		var stage Stage
		var err error
		switch e.key {
		case "sft", "train":
			stageShared, stageFlags := shared, flags
			if e.key == "sft" && hasKind(list.value, "train") {
				stageShared = without("loss_type", without("objective", shared))
				stageFlags = without("loss_type", without("objective", flags))
			}
			stage, err = l.trainStage(e, stageShared, stageFlags)
			shared, flags = without("model_name_or_path", shared), without("model_name_or_path", flags)
			shared, flags = without("model_revision", shared), without("model_revision", flags)
		case "eval":
			stage, err = evalStage(e, flags)
		default:
			err = usage.Errorf("%s: stages: %q is no kind of stage; want sft, train or eval", e.origin(), e.key)
		}
		if err != nil {
			return nil, err
		}
		if len(stages) > 0 && stages[len(stages)-1].Kind == "eval" || len(stages) == 0 && stage.Kind == "eval" {
			return nil, usage.Errorf("%s: stages: eval comes once, after the training stages", e.origin())
		}
		stages = append(stages, stage)
	}
	return stages, nil
}

// hasKind reports whether a list of stages has a stage of the given kind.
func hasKind(list *yaml.Node, kind string) bool {
	return slices.ContainsFunc(list.Content, func(item *yaml.Node) bool {
		item = dealias(item)
		return item.Kind == yaml.MappingNode && len(item.Content) == 2 && dealias(item.Content[0]).Value == kind
	})
}

// trainStage reads a stage of the kind sft or train.
func (l loader) trainStage(e entry, shared, flags []entry) (Stage, error) {
	var recipe, inline []entry
	var name string
	err := decodeString(e.value, &name)
	if err != nil {
		if inline, err = splitMapping(e.value, e); err == nil {
			inline, err = withOurNames(inline)
		}
		if err != nil {
			return Stage{}, err
		}
		if config, ok := lastEntry("config", inline); ok {
			if err := decodeString(config.value, &name); err != nil {
				return Stage{}, usage.Errorf("%s: config: %w", config.originOf(config.value), err)
			}
			inline = without("config", inline)
		}
	}
	if name == "" && len(inline) == 0 {
		return Stage{}, usage.Errorf("%s: %s: want a recipe or a mapping of keys", e.origin(), e.key)
	}
	if name != "" {
		if recipe, err = l.read(name, e.dir); err != nil {
			return Stage{}, err
		}
	}
	if nested, ok := lastEntry("stages", recipe, inline); ok {
		return Stage{}, usage.Errorf("%s: stages: a stage has no stages of its own", nested.origin())
	}
	c, err := l.resolve(shared, recipe, inline, flags)
	if err != nil {
		return Stage{}, err
	}
	c, err = c.ForStage(e.key)
	return Stage{Kind: e.key, Config: c}, err
}

// evalStage reads a stage of the kind eval, or the mapping gate. The flags may repeat its judge as eval_judge; see
// checkTrust.
func evalStage(e entry, flags []entry) (Stage, error) {
	stage := Stage{Kind: "eval"}
	entries, err := splitMapping(e.value, e)
	if err != nil {
		return Stage{}, err
	}
	var problems []error
	var known []string
	for _, f := range recipeFields(&stage.Eval) {
		known = append(known, f.key)
	}
	stageKey := e.key
	for _, e := range entries {
		if len(problems) >= usage.MaxProblems {
			problems = append(problems, unlisted(e))
			break
		}
		f, ok := fieldOf(&stage.Eval, e.key)
		switch {
		case isNull(e.value) && slices.Contains(known, e.key):
		case ok:
			err := f.decode(e.value)
			if err == nil {
				err = e.dir.resolveNames(&f, new([]string))
			}
			if err != nil {
				problems = append(problems, fmt.Errorf("%s: %s: %w", e.origin(), e.key, err))
			}
			if f.key == "judge" && !e.isTrusted() && isService(stage.Eval.Judge) && stage.Eval.Judge != "none" &&
				!repeats(flags, stage.Eval.Judge) {
				problems = append(problems, refuseService(e.origin(), stageKey+": judge", stage.Eval.Judge, "eval_judge"))
			}
		default:
			problems = append(problems, fmt.Errorf("%s: %s: unknown key%s", e.origin(), usage.Word(e.key),
				usage.DidYouMean(e.key, known)))
		}
	}
	problems = append(problems, stage.Eval.check(e)...)
	if len(problems) == 0 && len(stage.Eval.DatasetMixer) == 0 && stage.Eval.Prompts == "" && len(stage.Eval.Tasks) == 0 {
		problems = append(problems, fmt.Errorf("%s: %s: want a dataset_mixer, prompts or tasks", e.origin(), e.key))
	}
	if len(problems) > 0 {
		return Stage{}, &usage.Error{Err: errors.Join(problems...)}
	}
	return stage, nil
}

// check sets the default split and checks the keys of an eval stage; e is the stage's entry.
func (s *EvalStage) check(e entry) (problems []error) {
	if len(s.DatasetSplits) == 0 {
		s.DatasetSplits = []string{"test"}
	} else if len(s.DatasetSplits) > 1 {
		problems = append(problems, fmt.Errorf("%s: %s: dataset_splits: want one split, the held-out rows", e.origin(),
			e.key))
	}
	if s.Limit < 0 {
		problems = append(problems, fmt.Errorf("%s: %s: limit: must be 0 (all) or more, got %d", e.origin(), e.key, s.Limit))
	}
	if len(s.Tasks) > 0 {
		if _, err := FindTasks(s.Tasks, s.Include, slog.New(slog.DiscardHandler)); err != nil {
			problems = append(problems, fmt.Errorf("%s: %s: tasks: %w", e.origin(), e.key, err))
		}
	}
	return problems
}
