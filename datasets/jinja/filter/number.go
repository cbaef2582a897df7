package filter

import (
	"math"
	"math/big"

	"github.com/bfpo-go/bfpo/datasets/jinja/operator"
	"github.com/bfpo-go/bfpo/datasets/jinja/value"
)

func abs(c *Call) value.Value {
	if f, ok := c.Value.(float64); ok {
		return math.Abs(f)
	}
	negated := value.Negate(c.Meter, c.Value, true)
	if value.Order(c.Meter, "<", negated, int64(0)) {
		return value.Negate(c.Meter, c.Value, false)
	}
	return negated
}

func toFloat(c *Call) value.Value {
	if f, ok := value.ToFloat(c.Meter, c.Value); ok {
		return f
	}
	return c.Args[0]
}

func toInt(c *Call) value.Value {
	if text, ok := value.Text(c.Value); ok {
		base := value.Index(c.Meter, c.Args[1])
		c.Meter.Read(64 * len(text))
		if base == 0 || base >= 2 && base <= 36 {
			if n, ok := value.ParseInt(text, int(base)); ok {
				return n
			}
		}
		f, ok := value.ParseFloat(text)
		if !ok || math.IsInf(f, 0) || math.IsNaN(f) {
			return c.Args[0]
		}
		n, _ := value.Truncate(c.Meter, f)
		return n
	}
	if n, ok := value.Truncate(c.Meter, c.Value); ok {
		return n
	}
	return c.Args[0]
}

func round(c *Call) value.Value {
	m := c.Meter
	way, _ := value.Text(c.Args[1])
	if way == "common" {
		if c.Args[0] == nil {
			n, _ := value.Truncate(m, value.Round(m, c.Value, 0))
			return n
		}
		return value.Round(m, c.Value, value.Index(m, c.Args[0]))
	}
	if way != "ceil" && way != "floor" {
		value.Fail("FilterArgumentError", "method must be common, ceil or floor")
	}
	scale := operator.Arithmetic(m, "**", int64(10), c.Args[0])
	scaled := operator.Arithmetic(m, "*", c.Value, scale)
	f, isFloat := scaled.(float64)
	if isFloat {
		if math.IsInf(f, 0) || math.IsNaN(f) {
			value.Fail("OverflowError", "cannot convert float infinity or NaN to integer")
		}
		if way == "ceil" {
			f = math.Ceil(f)
		} else {
			f = math.Floor(f)
		}
		n, _ := big.NewFloat(f).Int(nil)
		scaled = value.Whole(n)
	} else if _, isText := value.Text(scaled); isText {
		value.Fail("TypeError", "must be real number, not str")
	}
	return operator.Arithmetic(m, "/", scaled, scale)
}

func sum(c *Call) value.Value {
	total := c.Args[1]
	if _, ok := value.Text(total); ok {
		value.Fail("TypeError", "sum() can't sum strings [use ''.join(seq) instead]")
	}
	get := c.attribute(c.Args[0], nil)
	for it := value.Iterate(c.Meter, c.Value); ; {
		item, ok := it.Next()
		if !ok {
			return total
		}
		total = operator.Arithmetic(c.Meter, "+", total, get(item))
	}
}

// extreme returns the filter min or max.
func extreme(op string) func(*Call) value.Value {
	return func(c *Call) value.Value {
		it := value.Iterate(c.Meter, c.Value)
		best, ok := it.Next()
		if !ok {
			return c.undefined("No aggregated item, sequence was empty.")
		}
		key := c.key(c.Args[1], nil, value.Truth(c.Meter, c.Args[0]))
		bestKey := key(best)
		for {
			item, ok := it.Next()
			if !ok {
				return best
			}
			if k := key(item); value.Order(c.Meter, op, k, bestKey) {
				best, bestKey = item, k
			}
		}
	}
}
