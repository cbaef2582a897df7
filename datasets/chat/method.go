package chat

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/nikolalohinski/gonja/v2/builtins"
	"github.com/nikolalohinski/gonja/v2/exec"
)

// guardFilter makes a filter stop when the rendering must end, and refuses results that are too large.
func guardFilter(filter exec.FilterFunction) exec.FilterFunction {
	return func(e *exec.Evaluator, in *exec.Value, args *exec.VarArgs) *exec.Value {
		b := budgetOf(e.Environment.Context)
		if err := b.check(); err != nil {
			return exec.AsValue(err)
		}
		out := filter(e, in, args)
		if size := 0; !out.IsError() && !measure(out, &size) {
			return exec.AsValue(b.fail("a value is larger than %d bytes", maxText))
		}
		return out
	}
}

func replaceFilter(_ *exec.Evaluator, in *exec.Value, args *exec.VarArgs) *exec.Value {
	text, err := replaceMethod(in.String(), in, args)
	if err != nil {
		return exec.AsValue(err)
	}
	return exec.AsValue(text)
}

func joinFilter(_ *exec.Evaluator, in *exec.Value, args *exec.VarArgs) *exec.Value {
	separator := args.GetKeywordArgument("d", args.First().String()).String()
	var texts []string
	size := 0
	in.Iterate(func(_, _ int, item, _ *exec.Value) bool {
		text := item.String()
		texts = append(texts, text)
		size += len(text) + len(separator)
		return size <= maxText
	}, func() {})
	if size > maxText {
		return exec.AsValue(fmt.Errorf("join makes a text larger than %d bytes", maxText))
	}
	return exec.AsValue(strings.Join(texts, separator))
}

func listFilter(e *exec.Evaluator, in *exec.Value, args *exec.VarArgs) *exec.Value {
	if in.Len() > maxItems {
		return exec.AsValue(fmt.Errorf("list makes more than %d items", maxItems))
	}
	list, ok := builtins.Filters.Get("list")
	if !ok {
		return exec.AsValue(errors.New("list is not supported"))
	}
	return list(e, in, args)
}

// isSequence is the test "sequence"; as in Jinja, a text is a sequence too.
func isSequence(_ *exec.Context, in *exec.Value, _ *exec.VarArgs) (bool, error) {
	return in.IsList() || in.IsString() || in.IsDict(), nil
}

func rangeFunction(_ *exec.Evaluator, args *exec.VarArgs) ([]int, error) {
	start, stop, step := 0, args.First().Integer(), 1
	if len(args.Args) > 1 {
		start, stop = stop, args.Args[1].Integer()
	}
	if len(args.Args) > 2 {
		step = args.Args[2].Integer()
	}
	if len(args.Args) == 0 || len(args.Args) > 3 || step == 0 {
		return nil, errors.New("range takes [start,] stop [, step], and step is not 0")
	}
	items := []int{}
	for i := start; step > 0 && i < stop || step < 0 && i > stop; i += step {
		if len(items) == maxItems {
			return nil, fmt.Errorf("range has more than %d items", maxItems)
		}
		items = append(items, i)
	}
	return items, nil
}

// stringMethods are the methods of Python's str that chat templates call.
func stringMethods() map[string]exec.Method[string] {
	plain := func(f func(string) string) exec.Method[string] {
		return func(s string, _ *exec.Value, _ *exec.VarArgs) (any, error) { return f(s), nil }
	}
	type stripSet = func(s, chars string) string
	type stripSpace = func(s string, isSpace func(rune) bool) string
	strip := func(ofSet stripSet, ofSpace stripSpace) exec.Method[string] {
		return func(s string, _ *exec.Value, args *exec.VarArgs) (any, error) {
			if args.First().IsNil() {
				return ofSpace(s, unicode.IsSpace), nil
			}
			return ofSet(s, args.First().String()), nil
		}
	}
	with := func(f func(s, affix string) bool) exec.Method[string] {
		return func(s string, _ *exec.Value, args *exec.VarArgs) (any, error) {
			if args.First().IsString() {
				return f(s, args.First().String()), nil
			}
			return nil, errors.New("a text is expected as argument")
		}
	}
	return map[string]exec.Method[string]{
		"lower":      plain(strings.ToLower),
		"upper":      plain(strings.ToUpper),
		"strip":      strip(strings.Trim, strings.TrimFunc),
		"lstrip":     strip(strings.TrimLeft, strings.TrimLeftFunc),
		"rstrip":     strip(strings.TrimRight, strings.TrimRightFunc),
		"startswith": with(strings.HasPrefix),
		"endswith":   with(strings.HasSuffix),
		"replace":    replaceMethod,
		"split":      splitMethod,
	}
}

func replaceMethod(s string, _ *exec.Value, args *exec.VarArgs) (any, error) {
	if len(args.Args) < 2 {
		return nil, errors.New("replace takes the text to replace and its replacement")
	}
	from, to, count := args.Args[0].String(), args.Args[1].String(), -1
	if len(args.Args) > 2 {
		count = args.Args[2].Integer()
	}
	if len(s)+strings.Count(s, from)*len(to) > maxText {
		return nil, fmt.Errorf("replace makes a text larger than %d bytes", maxText)
	}
	return strings.Replace(s, from, to, count), nil
}

func splitMethod(s string, _ *exec.Value, args *exec.VarArgs) (any, error) {
	var texts []string
	switch separator := args.First(); {
	case separator.IsNil():
		texts = strings.Fields(s)
	case separator.String() == "":
		return nil, errors.New("split: the separator is empty")
	case len(args.Args) > 1 && args.Args[1].Integer() >= 0:
		texts = strings.SplitN(s, separator.String(), args.Args[1].Integer()+1)
	default:
		texts = strings.Split(s, separator.String())
	}
	if len(texts) > maxItems {
		return nil, fmt.Errorf("split makes more than %d items", maxItems)
	}
	return texts, nil
}

// dictMethods are the methods of Python's dict that chat templates call; keys are sorted, since Go's maps have no
// order.
func dictMethods() map[string]exec.Method[map[string]any] {
	keys := func(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }
	return map[string]exec.Method[map[string]any]{
		"keys": func(m map[string]any, _ *exec.Value, _ *exec.VarArgs) (any, error) { return keys(m), nil },
		"items": func(m map[string]any, _ *exec.Value, _ *exec.VarArgs) (any, error) {
			items := []any{}
			for _, key := range keys(m) {
				items = append(items, []any{key, m[key]})
			}
			return items, nil
		},
		"get": func(m map[string]any, _ *exec.Value, args *exec.VarArgs) (any, error) {
			if value, ok := m[args.First().String()]; ok {
				return value, nil
			}
			if len(args.Args) > 1 {
				return args.Args[1].Interface(), nil
			}
			return nil, nil
		},
	}
}
