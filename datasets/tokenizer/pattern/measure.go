package pattern

import "slices"

// single returns the set of a node that is always one character.
func (n *node) single() (set, bool) {
	switch {
	case n.kind == kindClass:
		return n.set, true
	case (n.kind == kindSeries || n.kind == kindChoice) && len(n.subs) == 1:
		return n.subs[0].single()
	case n.kind == kindChoice:
		var all set
		for _, sub := range n.subs {
			s, ok := sub.single()
			if !ok {
				return nil, false
			}
			all = normal(slices.Concat(all, s))
		}
		return all, true
	}
	return nil, false
}

// shortest returns the least number of characters of a node's matches, at most 1<<20.
func (n *node) shortest() int {
	total := 0
	switch n.kind {
	case kindClass:
		return 1
	case kindSeries:
		for _, sub := range n.subs {
			total += sub.shortest()
		}
	case kindChoice:
		total = n.subs[0].shortest()
		for _, sub := range n.subs[1:] {
			total = min(total, sub.shortest())
		}
	case kindRepeat:
		total = n.min * n.subs[0].shortest()
	case kindAtomic:
		total = n.subs[0].shortest()
	}
	return min(total, 1<<20)
}

// longest returns the greatest number of characters of a node's matches, or -1 where it has no limit, or one above
// maxRepeat.
func (n *node) longest() int {
	total := 0
	switch n.kind {
	case kindClass:
		return 1
	case kindSeries, kindChoice:
		for _, sub := range n.subs {
			l := sub.longest()
			if l < 0 {
				return -1
			}
			if n.kind == kindSeries {
				total += l
			} else {
				total = max(total, l)
			}
		}
	case kindRepeat:
		l := n.subs[0].longest()
		if n.max < 0 || l < 0 {
			return -1
		}
		total = n.max * l
	case kindAtomic:
		total = n.subs[0].longest()
	}
	if total > maxRepeat {
		return -1
	}
	return total
}

// begins returns the characters that a node's matches can begin with; false where a match may be empty.
func (n *node) begins() (set, bool) {
	switch n.kind {
	case kindClass:
		return n.set, true
	case kindSeries:
		var all set
		for _, sub := range n.subs {
			if sub.kind == kindLook || sub.kind == kindAnchor {
				continue
			}
			s, must := sub.begins()
			all = normal(slices.Concat(all, s))
			if must {
				return all, true
			}
		}
		return all, false
	case kindChoice:
		var all set
		must := true
		for _, sub := range n.subs {
			s, sure := sub.begins()
			all, must = normal(slices.Concat(all, s)), must && sure
		}
		return all, must
	case kindRepeat:
		s, must := n.subs[0].begins()
		return s, must && n.min > 0
	case kindAtomic:
		return n.subs[0].begins()
	}
	return nil, false
}
