package chat

import (
	"github.com/nikolalohinski/gonja/v2/builtins"
	"github.com/nikolalohinski/gonja/v2/exec"
)

// newSandbox returns everything that a template can use: statements, filters, tests, methods and functions without side
// effects. What is not listed (include, import, extends, lipsum, attr, …) does not exist for a template.
func newSandbox() *exec.Environment {
	filters := make(map[string]exec.FilterFunction)
	for _, name := range []string{
		"capitalize", "count", "d", "default", "first", "int", "items", "last", "length", "lower", "map", "reject",
		"rejectattr", "reverse", "safe", "select", "selectattr", "string", "title", "trim", "upper",
	} {
		if filter, ok := builtins.Filters.Get(name); ok {
			filters[name] = guardFilter(filter)
		}
	}
	filters["join"] = guardFilter(joinFilter)
	filters["list"] = guardFilter(listFilter)
	filters["replace"] = guardFilter(replaceFilter)
	tests := exec.NewTestSet(map[string]exec.TestFunction{}).Update(builtins.Tests)
	tests = tests.Update(exec.NewTestSet(map[string]exec.TestFunction{"sequence": isSequence}))
	functions := map[string]any{"range": rangeFunction}
	if namespace, ok := builtins.GlobalFunctions.Get("namespace"); ok {
		functions["namespace"] = namespace
	}
	return &exec.Environment{
		Context:           exec.NewContext(functions),
		Filters:           exec.NewFilterSet(filters),
		Tests:             tests,
		ControlStructures: newStatements(),
		Methods: exec.Methods{
			Bool:  exec.NewMethodSet(map[string]exec.Method[bool]{}),
			Int:   exec.NewMethodSet(map[string]exec.Method[int]{}),
			Float: exec.NewMethodSet(map[string]exec.Method[float64]{}),
			Str:   exec.NewMethodSet(stringMethods()),
			Dict:  exec.NewMethodSet(dictMethods()),
			// Methods that change a list, such as append, are missing in the sandbox of transformers too.
			List: exec.NewMethodSet(map[string]exec.Method[[]any]{}),
		},
	}
}
