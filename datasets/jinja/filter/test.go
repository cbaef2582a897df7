package filter

import (
	"math/big"

	"github.com/bfpo-go/bfpo/datasets/jinja/operator"
	"github.com/bfpo-go/bfpo/datasets/jinja/value"
)

// Tests are Jinja's tests by name.
var Tests = func() map[string]Filter {
	tests := map[string]Filter{
		"odd":         {Body: remainder(int64(1))},
		"even":        {Body: remainder(int64(0))},
		"divisibleby": {Params: need("num"), Body: divisibleBy},
		"defined":     is(func(v value.Value) bool { return !isUndefined(v) }),
		"undefined":   is(isUndefined),
		"filter":      {Body: func(c *Call) value.Value { return c.has(c.Env.HasFilter) }},
		"test":        {Body: func(c *Call) value.Value { return c.has(c.Env.HasTest) }},
		"none":        is(func(v value.Value) bool { return v == nil }),
		"boolean":     is(func(v value.Value) bool { _, ok := v.(bool); return ok }),
		"true":        is(func(v value.Value) bool { return v == true }),
		"false":       is(func(v value.Value) bool { return v == false }),
		"integer":     is(isInteger),
		"float":       is(func(v value.Value) bool { _, ok := v.(float64); return ok }),
		"number":      is(isNumber),
		"string":      is(func(v value.Value) bool { _, ok := value.Text(v); return ok }),
		"mapping":     is(func(v value.Value) bool { _, ok := v.(*value.Dict); return ok }),
		"escaped":     is(func(v value.Value) bool { _, ok := v.(value.Markup); return ok }),
		"lower":       {Body: textTest("islower")},
		"upper":       {Body: textTest("isupper")},
		"sequence":    is(isSequence),
		"iterable":    {Body: func(c *Call) value.Value { _, ok := value.TryIterate(c.Meter, c.Value); return ok }},
		"callable":    is(isCallable),
		"sameas":      {Params: need("other"), Body: sameAs},
		"in":          {Params: need("seq"), Body: isIn},
	}
	for name, op := range map[string]string{
		"==": "==", "eq": "==", "equalto": "==", "!=": "!=", "ne": "!=", ">": ">", "gt": ">", "greaterthan": ">",
		">=": ">=", "ge": ">=", "<": "<", "lt": "<", "lessthan": "<", "<=": "<=", "le": "<=",
	} {
		tests[name] = Filter{Params: need("b"), Body: compare(op)}
	}
	return tests
}()

func isIn(c *Call) value.Value { return value.Contains(c.Meter, c.Args[0], c.Value) }

func is(f func(value.Value) bool) Filter {
	return Filter{Body: func(c *Call) value.Value { return f(c.Value) }}
}

func isUndefined(v value.Value) bool {
	_, ok := v.(*value.Undefined)
	return ok
}

func isInteger(v value.Value) bool {
	switch v.(type) {
	case int64, *big.Int:
		return true
	}
	return false
}

func isNumber(v value.Value) bool {
	switch v.(type) {
	case bool, float64:
		return true
	}
	return isInteger(v)
}

func isSequence(v value.Value) bool {
	switch v := v.(type) {
	case string, value.Markup, *value.List, *value.Tuple, *value.Dict, *value.Range:
		return true
	case *value.Undefined:
		return !v.Strict
	}
	return false
}

func isCallable(v value.Value) bool {
	_, ok := v.(value.Callable)
	return ok || isUndefined(v)
}

// has asks whether there is a filter or test of the value's name.
func (c *Call) has(known func(string) bool) bool {
	name, ok := value.Text(c.Value)
	if !ok {
		value.Key(c.Meter, c.Value) // fails for lists, as Python does
		return false
	}
	return known(name)
}

func remainder(want int64) func(*Call) value.Value {
	return func(c *Call) value.Value {
		return value.Equal(c.Meter, operator.Arithmetic(c.Meter, "%", c.Value, int64(2)), want)
	}
}

func divisibleBy(c *Call) value.Value {
	return value.Equal(c.Meter, operator.Arithmetic(c.Meter, "%", c.Value, c.Args[0]), int64(0))
}

func textTest(name string) func(*Call) value.Value {
	return func(c *Call) value.Value { return value.Predicate(name)(value.Str(c.Meter, c.Value)) }
}

func compare(op string) func(*Call) value.Value {
	return func(c *Call) value.Value {
		switch op {
		case "==":
			return value.Equal(c.Meter, c.Value, c.Args[0])
		case "!=":
			return !value.Equal(c.Meter, c.Value, c.Args[0])
		}
		return value.Order(c.Meter, op, c.Value, c.Args[0])
	}
}

// sameAs is Python's "is". Whether equal texts or larger numbers are one object depends on Python's memory.
func sameAs(c *Call) value.Value {
	a, b := c.Value, c.Args[0]
	if value.TypeName(a) != value.TypeName(b) {
		return false
	}
	switch a := a.(type) {
	case nil, bool:
		return a == b
	case int64:
		n := b.(int64)
		if a != n || a >= -5 && a <= 256 {
			return a == n
		}
	case string:
		if a != b.(string) || a == "" {
			return a == b
		}
	case float64, *big.Int, value.Markup:
		if !value.Equal(c.Meter, a, b) {
			return false
		}
	default:
		return a == b
	}
	value.Fail(value.Unsupported, "whether equal texts and numbers are the same object is not known")
	return nil
}
