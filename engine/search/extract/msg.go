package extract

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	wide "golang.org/x/text/encoding/unicode"
)

// What a message of Outlook is in ([MS-OXMSG]): a storage with a stream for each
// property, and a storage for each recipient and attachment. The names of streams end
// with the number of the property and its type.
const (
	msgProperty   = "__substg1.0_"
	msgFixed      = "__properties_version1.0"
	msgRecipient  = "__recip_version1.0_"
	msgAttachment = "__attach_version1.0_"
)

// Properties of [MS-OXPROPS] that are not text for reading.
const (
	msgClass        = 0x001a
	msgBody         = 0x1000
	msgRTF          = 0x1009
	msgHTML         = 0x1013
	msgCodePage     = 0x3ffd // of all text
	msgBodyCodePage = 0x3fde // of HTML
	msgData         = 0x3701
	msgMediaType    = 0x370e
)

// msgShown are the properties that are read of a message, in this order: the subject,
// who sent it, for whom and from which address, and the lists of recipients. Outlook
// keeps people in such files too: their names, firm, title and telephones.
var msgShown = []uint16{0x0037, 0x0c1a, 0x5d01, 0x0c1f, 0x0042, 0x5d02, 0x0065, 0x0e04, 0x0e03, 0x0e02,
	0x3001, 0x3a06, 0x3a11, 0x3a16, 0x3a17, 0x3a08, 0x3a09, 0x3a1c}

// msgRecipientShown are those of a recipient: the name and the addresses.
var msgRecipientShown = []uint16{0x3001, 0x39fe, 0x3003}

// msgText reads a message that Outlook saved.
func msgText(ctx context.Context, f File, data []byte, out *Output) error {
	c, err := openCompound(data)
	if err != nil {
		return err
	}
	m := &msg{File: f, c: c}
	err = m.read(ctx, c.root(), msgPage{}, 32, out)
	if err == nil && c.cut {
		return ErrTruncated
	}
	return err
}

// msg is a message, or one that is attached to it, in the same compound file.
type msg struct {
	File
	c *compound
}

// msgPage is the media types of the text of a message, with what it is written in.
type msgPage struct{ plain, html string }

// properties are a storage's.
type properties struct {
	c     *compound
	in    map[string]entry
	fixed []byte // those that are numbers
	page  msgPage
}

// read reads a message from its storage, in which a head of so many bytes stands before
// the properties that are numbers. outer is what the message it is in is written in.
func (m *msg) read(ctx context.Context, in map[string]entry, outer msgPage, head int, out *Output) error {
	p, err := m.properties(in, outer, head)
	if err != nil {
		return err
	}
	if err := p.show(msgShown, out); err != nil {
		return err
	}
	storages := slices.Sorted(maps.Keys(in))
	for _, name := range storages {
		if !strings.HasPrefix(name, msgRecipient) || out.Full() {
			continue
		}
		r, err := m.properties(m.c.storage(in[name]), p.page, 8)
		if err != nil {
			return err
		}
		if err := r.show(msgRecipientShown, out); err != nil {
			return err
		}
	}
	if err := m.body(ctx, p, out); err != nil {
		return err
	}
	class, err := p.text(msgClass)
	if err != nil {
		return err
	}
	for _, name := range storages {
		if !strings.HasPrefix(name, msgAttachment) || out.Full() {
			continue
		}
		if err := m.attachment(ctx, m.c.storage(in[name]), p.page, strings.ToLower(class), out); err != nil {
			return err
		}
	}
	return nil
}

func (m *msg) properties(in map[string]entry, outer msgPage, head int) (*properties, error) {
	fixed, err := m.c.stream(in[msgFixed])
	if err != nil {
		return nil, err
	}
	p := &properties{c: m.c, in: in, fixed: fixed[min(len(fixed), head):], page: outer}
	all, html := p.number(msgCodePage), p.number(msgBodyCodePage)
	if n := cmp.Or(all, html); n > 0 {
		p.page.plain = fmt.Sprintf("text/plain; charset=cp%d", n)
	}
	if n := cmp.Or(html, all); n > 0 {
		p.page.html = fmt.Sprintf("text/html; charset=cp%d", n)
	}
	return p, nil
}

// number is a property that is a number of 32 bits; 0: there is none.
func (p *properties) number(id uint16) uint32 {
	for b := p.fixed; len(b) >= 16; b = b[16:] {
		if binary.LittleEndian.Uint32(b) == uint32(id)<<16|3 {
			return binary.LittleEndian.Uint32(b[8:])
		}
	}
	return 0
}

// bytes is the stream of a property of a type; nil: there is none.
func (p *properties) bytes(id, of uint16) ([]byte, error) {
	return p.c.stream(p.in[fmt.Sprintf(msgProperty+"%04x%04x", id, of)])
}

// text is a property that is text: in UTF-16, or in the code page of the message.
func (p *properties) text(id uint16) (string, error) {
	if b, err := p.bytes(id, 0x1f); len(b) > 0 || err != nil {
		b, _ = wide.UTF16(wide.LittleEndian, wide.IgnoreBOM).NewDecoder().Bytes(b[:min(len(b), 4*MaxText)]) // it replaces what it cannot read
		return string(b), err
	}
	b, err := p.bytes(id, 0x1e)
	if len(b) == 0 || err != nil {
		return "", err
	}
	return decodedString(bytes.TrimRight(b[:min(len(b), 4*MaxText)], "\x00"), p.page.plain), nil
}

// show reads properties, each once that says the same.
func (p *properties) show(ids []uint16, out *Output) error {
	said := map[string]bool{}
	for _, id := range ids {
		text, err := p.text(id)
		if err != nil {
			return err
		}
		// Within a firm, addresses are places in its directory, which nobody reads.
		if said[text] || strings.HasPrefix(strings.ToLower(text), "/o=") {
			continue
		}
		said[text] = true
		out.Text(text)
		out.Gap('\n')
	}
	return nil
}

// body reads the best of what a message says in different ways, and what the others
// have beyond it. RTF is there for Outlook itself, and read if there is nothing else.
func (m *msg) body(ctx context.Context, p *properties, out *Output) error {
	var html Output
	page, err := p.bytes(msgHTML, 0x102)
	from := decoded(page, p.page.html)
	if err == nil && len(page) == 0 {
		var text string
		text, err = p.text(msgHTML)
		from = strings.NewReader(text)
	}
	if err != nil {
		return err
	}
	if err := readHTML(ctx, from, &html); ctx.Err() != nil {
		return err // what else is wrong with a page is no reason to leave the rest
	}
	plain, err := p.text(msgBody)
	if err != nil {
		return err
	}
	out.Gap('\n')
	differing([]string{html.String(), plain}, out)
	if strings.TrimSpace(html.String()+plain) != "" {
		return nil
	}
	packed, err := p.bytes(msgRTF, 0x102)
	if err != nil || len(packed) == 0 {
		return err
	}
	rtf := unpackRTF(packed, MaxInput/4)
	if err := m.nest.take(int64(len(rtf))); err != nil {
		return err
	}
	err = rtfText(ctx, rtf, out)
	out.Gap('\n')
	return err
}

// attachment reads a file or a message that is attached to one of this class.
func (m *msg) attachment(ctx context.Context, in map[string]entry, outer msgPage, class string, out *Output) error {
	p, err := m.properties(in, outer, 8)
	if err != nil {
		return err
	}
	name := ""
	for _, id := range []uint16{0x3707, 0x3704, 0x3001} { // long, short, and as it is shown
		if name == "" {
			if name, err = p.text(id); err != nil {
				return err
			}
		}
	}
	name = strings.TrimRight(name, "\x00")
	out.Gap('\n')
	out.Text(name)
	out.Gap('\n')
	if inner, ok := in[fmt.Sprintf(msgProperty+"%04x000d", msgData)]; ok {
		return m.embedded(ctx, inner, outer, out)
	}
	media, err := p.text(msgMediaType)
	if err != nil {
		return err
	}
	data, err := p.bytes(msgData, 0x102)
	if err != nil || len(data) == 0 {
		return err
	}
	switch {
	case strings.HasPrefix(class, "ipm.note.smime.multipartsigned"):
		return m.member(ctx, "a.eml", "message/rfc822", data, out) // the whole message, in its signature
	case strings.HasPrefix(class, "ipm.note.smime"):
		inner := signedContent(data)
		if inner == nil {
			return ErrEncrypted
		}
		return m.member(ctx, "a.eml", "message/rfc822", inner, out)
	case strings.Contains(media, "x-microsoft-rpmsg-message"):
		return ErrEncrypted
	}
	return m.member(ctx, name, strings.TrimRight(media, "\x00"), data, out)
}

// embedded reads a message within this one. What else may be in a storage, such as an
// older office file, is not read.
func (m *msg) embedded(ctx context.Context, of entry, outer msgPage, out *Output) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	in := m.c.storage(of)
	if _, ok := in[msgFixed]; !ok {
		return nil
	}
	if err := m.nest.take(0); err != nil {
		return err
	}
	if m.depth >= maxDepth {
		m.nest.fail(ErrTooDeep)
		return nil
	}
	inner := *m
	inner.depth++
	err := inner.read(ctx, in, outer, 24, out)
	if err == nil || ctx.Err() != nil || errors.Is(err, errEnough) || errors.Is(err, ErrUnavailable) {
		return err
	}
	m.nest.fail(err)
	return nil
}
