package filter

import (
	"strings"

	"github.com/bfpo-go/bfpo/datasets/jinja/operator"
	"github.com/bfpo-go/bfpo/datasets/jinja/value"
)

var defaultParams = opt(opt(nil, "default_value", ""), "boolean", false)

func defaultValue(c *Call) value.Value {
	if _, ok := c.Value.(*value.Undefined); ok {
		return c.Args[0]
	}
	if value.Truth(c.Meter, c.Args[1]) && !value.Truth(c.Meter, c.Value) {
		return c.Args[0]
	}
	return c.Value
}

func length(c *Call) value.Value { return value.Len(c.Meter, c.Value) }

func list(c *Call) value.Value { return &value.List{Items: value.Collect(c.Meter, c.Value)} }

func first(c *Call) value.Value {
	if v, ok := value.Iterate(c.Meter, c.Value).Next(); ok {
		return v
	}
	return c.undefined("No first item, sequence was empty.")
}

func last(c *Call) value.Value {
	backward, ok := value.Backward(c.Meter, c.Value)
	if !ok {
		value.Fail("TypeError", "'%s' object is not reversible", value.TypeName(c.Value))
	}
	if v, ok := backward.Next(); ok {
		return v
	}
	return c.undefined("No last item, sequence was empty.")
}

func reverse(c *Call) value.Value {
	if text, ok := value.Text(c.Value); ok {
		return value.Like(c.Value, value.Reversed(c.Meter, text))
	}
	if backward, ok := value.Backward(c.Meter, c.Value); ok {
		return backward
	}
	items := value.Collect(c.Meter, c.Value)
	backward, _ := value.Backward(c.Meter, &value.List{Items: items})
	return &value.List{Items: value.Collect(c.Meter, backward)}
}

func join(c *Call) value.Value {
	between := value.Str(c.Meter, c.Args[0])
	get := c.attribute(c.Args[1], nil)
	var b strings.Builder
	it := value.Iterate(c.Meter, c.Value)
	for n := 0; ; n++ {
		item, ok := it.Next()
		if !ok {
			return b.String()
		}
		text := value.Str(c.Meter, get(item))
		if n > 0 {
			b.WriteString(between)
		}
		c.Meter.Text(len(between) + len(text))
		c.Meter.Fits(b.Len() + len(text))
		b.WriteString(text)
	}
}

func sort(c *Call) value.Value {
	keys := []func(value.Value) value.Value{}
	caseSensitive := value.Truth(c.Meter, c.Args[1])
	if text, ok := value.Text(c.Args[2]); ok {
		for part := range strings.SplitSeq(text, ",") {
			keys = append(keys, c.key(part, nil, caseSensitive))
		}
	} else {
		keys = append(keys, c.key(c.Args[2], nil, caseSensitive))
	}
	all := func(item value.Value) value.Value {
		k := &value.List{Items: make([]value.Value, c.Meter.Items(len(keys)))}
		for i, key := range keys {
			k.Items[i] = key(item)
		}
		return k
	}
	items := value.Collect(c.Meter, c.Value)
	return &value.List{Items: c.sorted(items, all, value.Truth(c.Meter, c.Args[0]))}
}

func dictSort(c *Call) value.Value {
	place := int64(0)
	switch by, _ := value.Text(c.Args[1]); by {
	case "key":
	case "value":
		place = 1
	default:
		value.Fail("FilterArgumentError", `You can only sort by either "key" or "value"`)
	}
	d, ok := c.Value.(*value.Dict)
	if !ok {
		if u, ok := c.Value.(*value.Undefined); ok {
			u.Fail(c.Meter)
		}
		value.Fail("AttributeError", "'%s' object has no attribute 'items'", value.TypeName(c.Value))
	}
	items := value.Collect(c.Meter, &value.View{Dict: d, Kind: "items"})
	key := c.key(place, nil, value.Truth(c.Meter, c.Args[0]))
	return &value.List{Items: c.sorted(items, key, value.Truth(c.Meter, c.Args[2]))}
}

func groupBy(c *Call) value.Value {
	caseSensitive := value.Truth(c.Meter, c.Args[2])
	key := c.key(c.Args[0], c.Args[1], caseSensitive)
	items := c.sorted(value.Collect(c.Meter, c.Value), key, false)
	var groups []value.Value
	var group *value.List
	var groupKey value.Value
	for _, item := range items {
		k := key(item)
		if group == nil || !value.Equal(c.Meter, groupKey, k) {
			group, groupKey = &value.List{}, k
			shown := k
			if !caseSensitive { // the first item's own key
				shown = c.attribute(c.Args[0], c.Args[1])(item)
			}
			c.Meter.Items(4)
			pair := []value.Value{shown, group}
			groups = append(groups, &value.Tuple{Items: pair, Fields: []string{"grouper", "list"}})
		}
		c.Meter.Items(1)
		group.Items = append(group.Items, item)
	}
	return &value.List{Items: groups}
}

func attr(c *Call) value.Value {
	name, ok := value.Text(c.Args[0])
	if !ok {
		value.Fail("TypeError", "attribute name must be string")
	}
	if v, ok := c.Access.Attribute(c.Meter, c.Value, name); ok {
		return v
	}
	return c.Access.Undefined(c.Value, name)
}

func plainJSON(c *Call) value.Value {
	style := operator.JSONStyle{Item: ", ", Pair: ": "}
	style.ASCII = value.Truth(c.Meter, c.Args[0])
	setIndent(c, &style, c.Args[1])
	if c.Args[2] != nil {
		pair := value.Collect(c.Meter, c.Args[2])
		if len(pair) != 2 {
			value.Fail("ValueError", "separators wants two texts")
		}
		var okItem, okPair bool
		style.Item, okItem = value.Text(pair[0])
		style.Pair, okPair = value.Text(pair[1])
		if !okItem || !okPair {
			value.Fail("TypeError", "separators wants two texts")
		}
	}
	style.SortKeys = value.Truth(c.Meter, c.Args[3])
	return operator.JSON(c.Meter, c.Value, style)
}

// setIndent takes the argument indent of json.dumps: a number of blanks or a text.
func setIndent(c *Call, style *operator.JSONStyle, indent value.Value) {
	if indent == nil {
		return
	}
	text, ok := value.Text(indent)
	if !ok {
		text = operator.Spaces(c.Meter, " ", value.Index(c.Meter, indent))
	}
	style.Indent, style.Item = &text, ","
}

// safeJSON is Jinja's own filter tojson: sorted keys, ASCII, and no characters that mean something in HTML.
func safeJSON(c *Call) value.Value {
	style := operator.JSONStyle{Item: ", ", Pair: ": ", ASCII: true, SortKeys: true}
	setIndent(c, &style, c.Args[0])
	text := operator.JSON(c.Meter, c.Value, style)
	c.Meter.Text(6 * len(text))
	return value.Markup(strings.NewReplacer("<", `\u003c`, ">", `\u003e`, "&", `\u0026`, "'", `\u0027`).Replace(text))
}
