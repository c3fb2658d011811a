import base64
import io
import re

from PIL import Image

from midspan.workbench.demo import CHOSEN, POLICIES, DemoRow, summarise
from midspan.workbench.picture import HEADS, cells, draw, page


def rows(links=("wifi", "3g"), chosen=("original", "resized", "resized")):
    routes = {CHOSEN: chosen, "always original": ("original",) * 3, "always resized": ("resized",) * 3}
    return [
        DemoRow(
            link=link,
            policy=policy,
            photo=f"{number}.jpg",
            photo_bytes=10_000 * 4**number,
            route=route,
            predicted_s=0.1 * (number + 1),
            measured_s=0.11 * (number + 1),
            bytes_up=5_000,
            label="cat",
            correct=number != 1,
        )
        for link in links
        for policy in POLICIES
        for number, route in enumerate(routes[policy])
    ]


def test_a_summary_counts_and_adds_up():
    first, *others = summarise(rows())
    assert len(others) == 5
    assert (first.link, first.policy) == ("wifi", CHOSEN)
    assert first.routes == {"original": 1, "resized": 2}
    assert round(first.predicted_median_s, 6) == 0.2
    assert round(first.measured_median_s, 6) == 0.22
    assert round(first.total_s, 6) == 0.66
    assert first.bytes_up == 15_000
    assert round(first.top1, 6) == round(2 / 3, 6)


def test_the_table_has_a_cell_for_each_head():
    for summary in summarise(rows()):
        assert len(cells(summary)) == len(HEADS)
    assert cells(summarise(rows())[0])[2] == "1 original\n2 resized"


def test_the_picture_is_a_png_of_a_sane_size():
    for links in (("wifi",), ("wifi", "lte", "3g")):
        for chosen in (("original",) * 3, ("somebody's", "resized", "another's")):
            some = rows(links, chosen)
            png = draw(some, summarise(some), "A title")
            image = Image.open(io.BytesIO(png))
            assert image.format == "PNG"
            assert image.width >= 900
            assert len(image.convert("L").getcolors()) > 20, "something is drawn"


def test_the_page_holds_the_picture_and_needs_nothing_else():
    png = b"\x89PNG pretended"
    text = page(png, summarise(rows(links=("<b>wifi</b>",))), "Fast & good", ["3 < 4"])
    assert base64.b64encode(png).decode() in text
    assert "Fast &amp; good" in text
    assert "3 &lt; 4" in text
    assert "&lt;b&gt;wifi" in text
    assert "<b>" not in text
    assert not re.search(r"(src|href)=\"?http", text)
    assert text.count("<tr") == 1 + 3
