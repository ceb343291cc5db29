"""What the browser tests of views share."""


def opened(browser, view, folder, width=1280):
    page = folder / "page.html"
    view.to_html(page)
    browser.get_log("browser")
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    )
    browser.get(page.as_uri())
    return page


def texts(browser, css):
    """The texts of elements, whether in sight or not."""
    return browser.execute_script("return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)", css)


def elements(browser, css):
    return browser.find_elements("css selector", css)


def click(browser, element):
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    element.click()


def no_complaints(browser):
    assert browser.get_log("browser") == []
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0
