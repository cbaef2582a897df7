package mlir

import (
	"fmt"
	"regexp"
	"strings"
)

// ShardName is the name of the parameter that holds the index of each device's shard.
const ShardName = "mesh_shard"

// fuseCollectives replaces two patterns by the collective operations that GoMLX lacks:
//
//	all_reduce(dynamic_update_slice(0, x, shard*n))   ->  all_gather(x)
//	dynamic_slice(all_reduce(x), shard*n)             ->  reduce_scatter(x)
//
// Both sides compute the same values. The left side transfers and stores the whole array on each device.
func fuseCollectives(text string) string {
	if !strings.Contains(text, "%"+ShardName+":") {
		return text
	}
	c := findCollectives(text)
	var out strings.Builder
	out.Grow(len(text))
	for i := 0; i < len(c.lines); i++ {
		name, op, ok := parseOperation(c.lines[i])
		switch {
		case ok && op.kind == "all_reduce" && c.scattered[name]:
			i = c.sums[name].last // the reduce_scatter takes the place of the slice
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

// collectives are the collective operations of a program.
type collectives struct {
	lines     []string
	known     definitions
	at        map[string]int // index of the line that defines a name
	sums      map[string]deviceSum
	scattered map[string]bool // sums of which each device reads only its own shard
}

// deviceSum is an all_reduce of one operand.
type deviceSum struct {
	first, last int    // its lines
	groups      string // the replica_groups attribute
	typ         string // type of operand and result
}

var operandName = regexp.MustCompile(`%[A-Za-z0-9_]+`)

// findCollectives finds the collective operations of a program.
func findCollectives(text string) collectives {
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
		if op.kind == "dynamic_slice" && c.isOwnShard(op.args[1:]) {
			slices[op.args[0]]++
		}
	}
	for name := range c.sums {
		c.scattered[name] = slices[name] == 1 && uses[name] == 2 // the definition and the slice
	}
	return c
}

// addSum adds the all_reduce called name whose first line is first.
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

// isOwnShard reports whether start indices begin with shard*n.
func (c collectives) isOwnShard(indices []string) bool {
	if len(indices) == 0 {
		return false
	}
	begin, ok := c.known.find(indices[0], "multiply", 2)
	return ok && begin.args[0] == "%"+ShardName
}

// writeGather writes the all_reduce called name as an all_gather and returns true, if its operand is a shard in an
// array of zeros.
func (c collectives) writeGather(out *strings.Builder, name string, sum operation) bool {
	found, ok := c.sums[name]
	if !ok {
		return false
	}
	update, ok := c.known[sum.args[0]]
	if !ok || update.kind != "dynamic_update_slice" || !c.isOwnShard(update.args[2:]) {
		return false
	}
	zeros, ok := c.known.find(update.args[0], "broadcast_in_dim", 1)
	if !ok || !c.known[zeros.args[0]].zero {
		return false
	}
	operands := operandTypes(c.lines[c.at[sum.args[0]]])
	if len(operands) < 2 {
		return false
	}
	fmt.Fprintf(out, "    %s = \"stablehlo.all_gather\"(%s) { all_gather_dim = 0 : i64, %s } : (%s) -> %s\n", name,
		update.args[1],
		found.groups, operands[1], found.typ)
	return true
}

// writeScatter writes the slice called name, with the all_reduce that it slices, as a reduce_scatter.
func (c collectives) writeScatter(out *strings.Builder, line, name string, slice operation) {
	sum := c.sums[slice.args[0]]
	out.WriteString("    " + name + ` = "stablehlo.reduce_scatter"(` + c.known[slice.args[0]].args[0] + ") ({\n")
	for _, body := range c.lines[sum.first+1 : sum.last] {
		out.WriteString(body)
	}
	_, result, _ := strings.Cut(line, ") -> ")
	fmt.Fprintf(out, "    }) { scatter_dimension = 0 : i64, %s } : (%s) -> %s\n", sum.groups, sum.typ,
		strings.TrimSpace(result))
}

// operandTypes returns the types of an operation's operands, from its line.
func operandTypes(line string) []string {
	at := strings.LastIndex(line, " : (")
	if at < 0 {
		return nil
	}
	list := line[at+len(" : ("):]
	end := closingBracket(list)
	if end < 0 {
		return nil
	}
	return splitList(list[:end])
}
