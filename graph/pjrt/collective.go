package pjrt

import (
	"regexp"
	"strings"
)

// ShardName is the parameter that tells each device the number of its part of what is cut.
const ShardName = "mesh_shard"

// directCollectives writes the collective operations that GoMLX lacks in place of what stands for them:
//
//	all_reduce(dynamic_update_slice(0, x, shard*n))   ->  all_gather(x)
//	dynamic_slice(all_reduce(x), shard*n)             ->  reduce_scatter(x)
//
// Both sides compute the same; the left one moves, and holds, several times as much.
func directCollectives(text string) string {
	if !strings.Contains(text, "%"+ShardName+":") {
		return text
	}
	c := readCollectives(text)
	var out strings.Builder
	out.Grow(len(text))
	for i := 0; i < len(c.lines); i++ {
		name, op, ok := parseOperation(c.lines[i])
		switch {
		case ok && op.kind == "all_reduce" && c.scattered[name]:
			i = c.sums[name].last // it is written where its slice stands
		case ok && op.kind == "all_reduce" && c.writeGather(&out, name, op):
			i = c.sums[name].last
		case ok && op.kind == "dynamic_slice" && c.scattered[op.args[0]]:
			c.writeScatter(&out, c.lines[i], name, op)
		default:
			out.WriteString(c.lines[i])
		}
	}
	return out.String()
}

// collectives is what directCollectives must know of a program.
type collectives struct {
	lines     []string
	known     definitions
	at        map[string]int // line of a definition
	sums      map[string]deviceSum
	scattered map[string]bool // sums over devices of which only a device's own part is read
}

// deviceSum is an all_reduce of one operand, which stands on the lines first to last.
type deviceSum struct {
	first, last int
	groups      string // the attribute with the devices that add up
	typ         string // of operand and result
}

var operandName = regexp.MustCompile(`%[A-Za-z0-9_]+`)

func readCollectives(text string) collectives {
	c := collectives{
		lines: strings.SplitAfter(text, "\n"), known: definitions{}, at: map[string]int{},
		sums: map[string]deviceSum{}, scattered: map[string]bool{},
	}
	uses, slices := map[string]int{}, map[string]int{}
	for i, line := range c.lines {
		for _, name := range operandName.FindAllString(line, -1) {
			uses[name]++
		}
		name, op, ok := parseOperation(line)
		if !ok {
			continue
		}
		c.known[name], c.at[name] = op, i
		if op.kind == "all_reduce" && len(op.args) == 1 {
			c.addSum(name, i)
		}
		if op.kind == "dynamic_slice" && c.ownPart(op.args[1:]) {
			slices[op.args[0]]++
		}
	}
	for name := range c.sums {
		c.scattered[name] = slices[name] == 1 && uses[name] == 2 // its definition and the slice
	}
	return c
}

func (c collectives) addSum(name string, first int) {
	for last := first; last < len(c.lines); last++ {
		attribute, types, ok := strings.Cut(strings.TrimSpace(c.lines[last]), " } : (")
		if !ok || !strings.HasPrefix(attribute, "}) { replica_groups = ") {
			continue
		}
		typ, _, ok := strings.Cut(types, ") -> ")
		if ok {
			c.sums[name] = deviceSum{first, last, strings.TrimPrefix(attribute, "}) { "), typ}
		}
		return
	}
}

// ownPart tells whether indices begin with shard*n.
func (c collectives) ownPart(indices []string) bool {
	if len(indices) == 0 {
		return false
	}
	begin, ok := c.known.of(indices[0], "multiply", 2)
	return ok && begin.args[0] == "%"+ShardName
}

// writeGather writes the sum called name as the all_gather that it stands for, if it does.
func (c collectives) writeGather(out *strings.Builder, name string, sum operation) bool {
	found, ok := c.sums[name]
	if !ok {
		return false
	}
	laid, ok := c.known[sum.args[0]]
	if !ok || laid.kind != "dynamic_update_slice" || !c.ownPart(laid.args[2:]) {
		return false
	}
	zeros, ok := c.known.of(laid.args[0], "broadcast_in_dim", 1)
	if !ok || !c.known[zeros.args[0]].zero {
		return false
	}
	operands := operandTypes(c.lines[c.at[sum.args[0]]])
	if len(operands) < 2 {
		return false
	}
	out.WriteString("    " + name + ` = "stablehlo.all_gather"(` + laid.args[1] + ") { all_gather_dim = 0 : i64, " + found.groups + " } : (" +
		operands[1] + ") -> " + found.typ + "\n")
	return true
}

// writeScatter writes the slice called name as a reduce_scatter, with the sum that it slices.
func (c collectives) writeScatter(out *strings.Builder, line, name string, slice operation) {
	sum := c.sums[slice.args[0]]
	out.WriteString("    " + name + ` = "stablehlo.reduce_scatter"(` + c.known[slice.args[0]].args[0] + ") ({\n")
	for _, body := range c.lines[sum.first+1 : sum.last] {
		out.WriteString(body)
	}
	_, result, _ := strings.Cut(line, ") -> ")
	out.WriteString("    }) { scatter_dimension = 0 : i64, " + sum.groups + " } : (" + sum.typ + ") -> " + strings.TrimSpace(result) + "\n")
}

// operandTypes reads the types of an operation's operands from its line.
func operandTypes(line string) []string {
	at := strings.LastIndex(line, " : (")
	if at < 0 {
		return nil
	}
	list := line[at+len(" : ("):]
	end := closing(list)
	if end < 0 {
		return nil
	}
	types := splitTop(list[:end])
	for i := range types {
		types[i] = strings.TrimSpace(types[i])
	}
	return types
}
