package extract

// flow puts text together that stands in paragraphs. What hangs on a word and has
// paragraphs of its own, such as a note or a text box, follows the paragraph it is
// in: it would part what belongs together.
type flow struct {
	into  *Output
	side  Output
	aside int // the depth of what is aside; 0: nothing
	in    int // paragraphs in one another, outside of what is aside
	glued bool
}

func (f *flow) to() *Output {
	if f.aside > 0 {
		return &f.side
	}
	return f.into
}

// begin begins a paragraph.
func (f *flow) begin() {
	if !f.glued {
		f.to().Gap('\n')
	}
	f.glued = false
	if f.aside == 0 {
		f.in++
	}
}

// end ends one. glued: its end was deleted, so that the next one goes on.
func (f *flow) end() {
	if !f.glued {
		f.to().Gap('\n')
	}
	if f.aside > 0 {
		return
	}
	if f.in > 0 {
		f.in--
	}
	if f.in == 0 && f.side.b.Len() > 0 {
		f.into.Gap('\n')
		f.into.Text(f.side.String())
		f.into.Gap('\n')
		f.side = Output{}
	}
}

// hang says that what begins at a depth is aside; release that it ends.
func (f *flow) hang(depth int) {
	if f.aside == 0 && f.in > 0 {
		f.aside = depth
	}
	f.to().Gap('\n')
}

func (f *flow) release(depth int) {
	f.to().Gap('\n')
	if f.aside == depth {
		f.aside = 0
	}
}

// note is a line beside the text, such as what a picture is said to show.
func (f *flow) note(s string) {
	if s == "" {
		return
	}
	to := f.to()
	if f.in > 0 {
		to = &f.side
	}
	to.Gap('\n')
	to.Text(s)
	to.Gap('\n')
}
